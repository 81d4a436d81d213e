"""Vectors of texts, for search and for ranking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum

from jan_engine import _core, log
from jan_engine.errors import ModelError
from jan_engine.model import Model
from jan_engine.native_int import native_int, token_ids

__all__ = ["Embedder", "Pooling"]


class Pooling(IntEnum):
    """How the vectors of an input's tokens become one. AUTO: as the file says, or the mean."""

    AUTO = -1
    MEAN = 1
    FIRST = 2
    LAST = 3
    RANK = 4  # scores of a model that was trained to rank


class Embedder:
    """Computes beside an engine on the same model. Any thread may call; calls take turns."""

    def __init__(
        self,
        model: Model,
        *,
        n_ctx: int = 0,
        n_threads: int = 0,
        pooling: Pooling = Pooling.AUTO,
    ) -> None:
        """`n_ctx` is the longest input in tokens; 0 takes the model's own length, up to 8192."""
        self.model = model
        try:
            self.core = _core.Embedder(
                model.core,
                n_ctx=native_int("n_ctx", n_ctx),
                n_positions=model.n_positions,
                n_threads=native_int("n_threads", n_threads),
                pooling=pooling,
                can_rank=model.can_rank,
            )
        except ModelError as error:
            error.path = str(model.path)
            raise
        finally:
            log.forward()

    def embed(
        self, inputs: Sequence[str | list[int]], *, normalize: bool = True
    ) -> list[list[float]]:
        """One vector per input, of length one unless `normalize` is off.

        Raises ContextOverflow for an input longer than `n_ctx`; nothing is cut off silently.
        """
        tokens = [
            self.model.tokenize(text) if isinstance(text, str) else token_ids("input", text)
            for text in inputs
        ]
        vectors = self.core.embed(tokens)
        if normalize and self.core.pooling != Pooling.RANK:
            return [_normalized(vector) for vector in vectors]
        return vectors


def _normalized(vector: list[float]) -> list[float]:
    length = math.sqrt(math.fsum(x * x for x in vector))
    return [x / length for x in vector] if length > 0 else vector
