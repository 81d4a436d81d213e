"""What is written down about one HTTP request, from its first line to its last byte."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextvars import ContextVar

import msgspec

__all__ = ["Generated", "Record", "current_record", "note_ignored", "recorded"]


class Generated(msgspec.Struct, kw_only=True):
    """One sequence that the engine ended."""

    model: str
    n_prompt: int
    n_cached: int
    n_out: int
    max_tokens: int | None
    reason: str
    submitted_s: float  # on time.monotonic's clock, like all moments here
    first_token_s: float  # 0: it made none
    ended_s: float


class Record(msgspec.Struct, kw_only=True):
    request_id: str
    method: str
    path: str
    traceparent: str = ""  # of the caller's trace
    route: str = ""  # the path with its parameters unfilled; "" for no route of ours
    status: int = 0  # 0: the caller left before there was one
    n_body_bytes: int = 0
    n_choices: int = 0  # sequences that were submitted
    generated: list[Generated] = []
    ignored: list[str] = []  # fields of the request without effect, named in the answer's head
    at_end: list[Callable[[], None]] = []  # what the request holds until its last byte
    goes_on: asyncio.Task[None] | None = None  # what is made after the last byte
    began_s: float = msgspec.field(default_factory=time.monotonic)
    ended_s: float = 0.0

    @property
    def duration_s(self) -> float:
        return self.ended_s - self.began_s

    @property
    def n_prompt(self) -> int:
        """Prompt tokens; those of several choices of one prompt count each time."""
        return sum(one.n_prompt for one in self.generated)

    @property
    def n_out(self) -> int:
        return sum(one.n_out for one in self.generated)


_current: ContextVar[Record | None] = ContextVar("jan_request_record", default=None)


def recorded(record: Record) -> None:
    """What the task that calls this does from now on belongs to that request."""
    _current.set(record)


def current_record() -> Record | None:
    """None outside of a request: a script may use the same parts."""
    return _current.get()


def note_ignored(*names: str) -> None:
    """Fields of the request that have no effect, in printable ASCII. Its answer's head tells them
    if that is still to come.
    """
    record = current_record()
    if record is not None:
        record.ignored += [name for name in names if name not in record.ignored]
