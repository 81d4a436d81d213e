"""From texts or tokens to vectors."""

from __future__ import annotations

import array
import base64
import math
import sys
from functools import partial
from typing import cast

import msgspec

from jan_server.api.embeddings.schemas import (
    Embedding,
    EmbeddingList,
    EmbeddingRequest,
    EmbeddingUsage,
)
from jan_server.aside import aside
from jan_server.errors import ApiError
from jan_server.inference.pool import Pool
from jan_server.inference.served_model import ServedModel
from jan_server.inference.vectors import VectorJob, refuse_many

__all__ = ["EmbeddingJob", "begin"]


async def begin(asked: EmbeddingRequest, pool: Pool) -> EmbeddingJob:
    """Check everything and tokenise; or raise, and nothing runs."""
    served = await pool.lease(asked.model)
    if asked.input is not None and asked.content is not None:
        raise _wrong("content", "is another name of input: say one of them")
    put = asked.content if asked.input is None else asked.input
    if put is None:
        raise ApiError(400, "invalid_parameter", "Parameter 'input' is required", param="input")
    given = [put] if isinstance(put, str) else put
    tokens = [one for one in given if isinstance(one, int)]
    if tokens and len(tokens) < len(given):
        raise _wrong("input", "tokens and texts do not mix in one list")
    inputs = [tokens] if tokens else [one for one in given if not isinstance(one, int)]
    if not inputs:
        raise _wrong("input", "is empty")
    refuse_many("input", len(inputs))
    return EmbeddingJob(asked, served, [await _tokens(one, asked, served) for one in inputs])


_FEW = 4  # vectors, whose answer is assembled in a millisecond


class EmbeddingJob:
    def __init__(
        self, asked: EmbeddingRequest, served: ServedModel, inputs: list[list[int]]
    ) -> None:
        self._asked = asked
        self._model_id = asked.model or served.id
        self._inputs = inputs
        self._job = VectorJob(served, inputs, served.pooling)
        self.leave = self._job.leave

    async def whole(self) -> bytes:
        as_they_are = self._asked.normalize is False or self._asked.embd_normalize == -1
        vectors = await self._job.vectors(normalize=not as_they_are)
        return await aside(partial(self._assembled, vectors), unless=len(vectors) < _FEW)

    def _assembled(self, vectors: list[list[float]]) -> bytes:
        n_tokens = sum(map(len, self._inputs))
        # One by one, so that other threads have their turn.
        encoded = [
            msgspec.Raw(msgspec.json.encode(Embedding(index=index, embedding=self._shaped(vector))))
            for index, vector in enumerate(vectors)
        ]
        answer = EmbeddingList(
            data=cast("list[Embedding]", encoded),
            model=self._model_id,
            usage=EmbeddingUsage(n_tokens, n_tokens),
        )
        return msgspec.json.encode(answer)

    def _shaped(self, vector: list[float]) -> list[float] | str:
        n = self._asked.dimensions
        if n is not None and n > len(vector):
            raise _wrong("dimensions", f"the model's vectors have {len(vector)}")
        if n is not None and n < len(vector):
            vector = vector[:n]
            length = math.sqrt(math.fsum(x * x for x in vector))
            vector = [x / length for x in vector] if length > 0 else vector
        if self._asked.encoding_format != "base64":
            return vector
        floats = array.array("f", vector)
        if sys.byteorder == "big":
            floats.byteswap()
        return base64.b64encode(floats.tobytes()).decode()


def _wrong(param: str, why: str) -> ApiError:
    return ApiError(400, "invalid_parameter", f"{param}: {why}", param=param)


async def _tokens(one: str | list[int], asked: EmbeddingRequest, served: ServedModel) -> list[int]:
    add_special = asked.add_special_tokens is not False
    if isinstance(one, str):
        is_cut = asked.truncate_prompt_tokens is not None or bool(asked.truncate)
        served.refuse_what_cannot_fit("input", one, is_cut=is_cut)
        one = await served.tokenize(one, add_special=add_special, parse_special=False)
    most = asked.truncate_prompt_tokens
    if most == 0:
        raise _wrong("truncate_prompt_tokens", "0 leaves no text")
    if most == -1 or (most is None and asked.truncate):
        most = served.n_ctx
    return one if most is None else one[:most]
