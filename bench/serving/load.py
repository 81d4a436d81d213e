"""What every contestant is asked to do, and what is written down about it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

import msgspec

__all__ = ["Answer", "Ask", "Contestant", "fresh_prompts", "total_s"]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    prompt: list[int]
    n_out: int  # exactly: the end token is ignored
    start_s: float = 0.0  # after the beginning of the run
    cancel_s: float | None = None
    schema: str | None = None  # that the text has to satisfy


class Answer(msgspec.Struct, kw_only=True):
    """Seconds are from the beginning of the run."""

    sent_s: float
    token_s: list[float] = []  # when each token arrived; without streaming, all at the end
    n_out: int = 0
    n_cached: int = 0
    n_evaluated: int = 0

    @property
    def ttft_s(self) -> float:
        return self.token_s[0] - self.sent_s

    @property
    def gaps_s(self) -> list[float]:
        return [b - a for a, b in zip(self.token_s, self.token_s[1:], strict=False)]


class Contestant(Protocol):
    name: str

    def run(self, asks: Sequence[Ask], *, stream: bool) -> list[Answer]: ...
    def close(self) -> None: ...


def fresh_prompts(seed: int, n: int, n_tokens: int, shared: int = 0) -> list[list[int]]:
    """Token ids nobody has seen: the seed must differ between runs. `shared` are equal in all."""
    rng = random.Random(seed)
    ids = range(1000, 30_000)  # ordinary tokens in every vocabulary we use
    prefix = rng.choices(ids, k=shared)
    return [prefix + rng.choices(ids, k=n_tokens - shared) for _ in range(n)]


def total_s(answers: Sequence[Answer]) -> float:
    return max(answer.token_s[-1] for answer in answers)
