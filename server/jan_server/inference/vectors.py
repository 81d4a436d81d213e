"""Vectors and scores, computed beside the engine on a thread of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from jan_engine import Model, Pooling
from jan_server.answers import CallerGone
from jan_server.errors import ApiError
from jan_server.inference.served_model import ServedModel

__all__ = ["VectorJob", "pair", "refuse_many"]

_MAX_INPUTS = 2048
_AT_ONCE = 16  # so many inputs later it is seen that the caller has gone


def refuse_many(field: str, n_inputs: int) -> None:
    """Before any of them is tokenised. Raises 400."""
    if n_inputs > _MAX_INPUTS:
        message = f"{field}: more than {_MAX_INPUTS} in one request"
        raise ApiError(400, "invalid_parameter", message, param=field)


class VectorJob:
    """The vectors of some inputs, unless their caller leaves."""

    def __init__(self, served: ServedModel, inputs: Sequence[list[int]], pooling: Pooling) -> None:
        self._served = served
        self._inputs = inputs
        self._pooling = pooling
        self._caller_gone = False

    def leave(self) -> None:
        self._caller_gone = True

    async def vectors(self, *, normalize: bool) -> list[list[float]]:
        embedder = await self._served.embedder(self._pooling)
        found: list[list[float]] = []
        for start in range(0, len(self._inputs), _AT_ONCE):
            if self._caller_gone:
                raise CallerGone
            some = self._inputs[start : start + _AT_ONCE]
            found += await asyncio.to_thread(embedder.embed, some, normalize=normalize)
        return found


def pair(model: Model, query: list[int], document: list[int]) -> list[int]:
    """A query and a document in the form that ranking models read, as llama.cpp writes it."""
    vocab = model.vocab
    stated = model.metadata.get("tokenizer.ggml.add_sep_token")
    adds_sep = stated == "true" if stated else vocab.type == "wpm"
    end = [vocab.eos if vocab.eos >= 0 else vocab.sep] if vocab.adds_eos else []
    start = [vocab.bos] if vocab.adds_bos else []
    between = [vocab.sep] if adds_sep and vocab.sep >= 0 else []
    return [*start, *query, *end, *between, *document, *end]
