"""What is written down about one request."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["CANCELLED", "INCOMPLETE", "OK", "Prompt", "Reply"]

OK = "ok"
INCOMPLETE = "incomplete"  # it began and broke off
CANCELLED = "cancelled"  # by us: nobody knows how it would have ended
# All others are errors by kind: http_429, connection, timeout, error_in_stream, not_understood.


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    text: str = ""
    messages: tuple[dict[str, Any], ...] = ()  # in place of a text, for the chat API
    n_output: int  # tokens at most; with ignore_eos, exactly


class Reply(msgspec.Struct, kw_only=True):
    """Seconds are from the beginning of the run, by one monotonic clock."""

    scheduled_s: float  # when it should have been sent; every latency counts from here
    sent_s: float = 0.0
    chunk_s: list[float] = []  # arrival of every frame that carried something
    answer_s: float | None = None  # of the first that was not reasoning
    end_s: float = 0.0  # of the last frame that belongs to the answer, its finish included
    n_input: int | None = None  # of the usage; None where the server tells none
    n_cached: int | None = None
    n_output: int | None = None
    n_asked: int = 0
    text: str = ""
    outcome: str = CANCELLED
    was_cut: bool = False  # it ended because it was as long as it might be
    was_resent: bool = False  # its first connection had gone
    error: str = ""
    settings: dict[str, Any] | None = None  # how its tokens were chosen, as the server tells it

    @property
    def is_ok(self) -> bool:
        return self.outcome == OK

    @property
    def n_tokens(self) -> int:
        """What the server counted. Where it counted nothing, what was asked for if that is what
        ended it, and otherwise the frames.
        """
        if self.n_output is not None:
            return self.n_output
        return self.n_asked if self.was_cut else len(self.chunk_s)

    @property
    def ttft_s(self) -> float:
        return self.chunk_s[0] - self.scheduled_s

    @property
    def e2e_s(self) -> float:
        return self.end_s - self.scheduled_s

    @property
    def tpot_s(self) -> float | None:
        """Per token after the first. None where there is no second."""
        return (self.e2e_s - self.ttft_s) / (self.n_tokens - 1) if self.n_tokens > 1 else None

    @property
    def itl_s(self) -> list[float]:
        """Between frames: of two tokens that came in one, nobody knows when each was there."""
        return [b - a for a, b in zip(self.chunk_s, self.chunk_s[1:], strict=False)]
