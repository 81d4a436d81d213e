"""POST /embedding and /embeddings: llama-server's own shape, a bare list."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
from litestar import post
from litestar.params import RawBody
from litestar.types import ASGIApp
from msgspec import Meta

from jan_server.answers import WholeAnswer
from jan_server.api.embeddings.foreign import FOREIGN_EMBEDDING
from jan_server.errors import ApiError
from jan_server.inference.mixed_prompt import mixed_tokens
from jan_server.inference.pool import Pool
from jan_server.inference.vectors import VectorJob, refuse_many
from jan_server.requests import HttpRequest, Models, RouteFacts, describe, read

__all__ = ["create_native_embedding"]

_LARGEST = 32760  # as llama-server scales: the vectors of 16-bit integers


class NativeEmbeddingRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One of `content` and `input`."""

    content: str | list[str | int | list[str | int]] | None = None
    input: str | list[str | int | list[str | int]] | None = None
    embd_normalize: Annotated[int, Meta(ge=-1, le=100)] | None = None  # 2
    model: str | None = None


class NativeEmbedding(msgspec.Struct):
    index: int
    embedding: list[list[float]]  # one vector: a text's tokens are pooled


_FACTS = RouteFacts(
    tag="Embeddings",
    reads=NativeEmbeddingRequest,
    foreign=FOREIGN_EMBEDDING,
    gives=NativeEmbedding,
    gives_list=True,
)


@post("/embedding", opt=describe(_FACTS), status_code=200)
async def create_native_embedding(body: RawBody, request: HttpRequest, pool: Models) -> ASGIApp:
    """The vectors of some texts, in llama-server's words."""
    asked = await read(NativeEmbeddingRequest, body, request)
    job = await _begin(asked, pool)
    how = 2 if asked.embd_normalize is None else asked.embd_normalize

    async def whole() -> bytes:
        vectors = await job.vectors(normalize=False)
        return msgspec.json.encode(
            [NativeEmbedding(i, [_scaled(one, how)]) for i, one in enumerate(vectors)]
        )

    return WholeAnswer(whole, job.leave)


async def _begin(asked: NativeEmbeddingRequest, pool: Pool) -> VectorJob:
    served = await pool.lease(asked.model)
    given = asked.input if asked.content is None else asked.content
    if given is None:
        message = "Parameter 'content' is required"
        raise ApiError(400, "invalid_parameter", message, param="content")
    flat = [given] if isinstance(given, str) else given
    one_prompt = any(isinstance(part, int) for part in flat)
    texts = [[part for part in flat if not isinstance(part, list)]] if one_prompt else flat
    refuse_many("content", len(texts))
    inputs = [
        await mixed_tokens(
            [text] if isinstance(text, str | int) else text,
            served,
            add_special=True,
            parse_special=True,
        )
        for text in texts
    ]
    if not inputs:
        raise ApiError(400, "invalid_parameter", "content: is empty", param="content")
    return VectorJob(served, inputs, served.pooling)


def _scaled(vector: list[float], how: int) -> list[float]:
    """-1: as it is; 0: the largest number is that of 16 bits; else the norm of that order is 1."""
    if how < 0:
        return vector
    if how == 0:
        size = max(map(abs, vector)) / _LARGEST
    else:
        size = math.fsum(abs(x) ** how for x in vector) ** (1 / how)
    return [x / size for x in vector] if size > 0 else vector
