"""The highest load that keeps a promise: `p99_ttft<=500`."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from jan_bench.load.measure import Point
from jan_bench.results import Row
from jan_engine.errors import InvalidRequest

__all__ = ["Limit", "highest_load", "limit_of"]

_NAME = re.compile(r"(?:mean|median|p50|p90|p95|p99)_(?:ttft|tpot|itl|e2el)")
_CLOSE = 1.1  # of two rates between which nobody looks further


class Limit(msgspec.Struct, frozen=True):
    figure: str
    most_ms: float

    def holds(self, result: Row) -> bool:
        """Nothing is promised to those who get no answer."""
        return not result["failed"] and result[f"{self.figure}_ms"] <= self.most_ms

    def __str__(self) -> str:
        return f"{self.figure}<={self.most_ms:g}"


def limit_of(text: str) -> Limit:
    """Raises InvalidRequest."""
    name, sign, value = text.replace(" ", "").partition("<=")
    if not sign or not _NAME.fullmatch(name):
        raise InvalidRequest(f"sla: {text!r} is not like p99_ttft<=500")
    try:
        return Limit(name, float(value))
    except ValueError:
        raise InvalidRequest(f"sla: {value!r} is no number of milliseconds") from None


def highest_load(
    holds: Callable[[Point], bool], *, over_rate: bool, least: float, most: float
) -> Point | None:
    """Doubles until it no longer holds, then halves what lies between. None where not even the
    least does. Where `most` holds, that is the answer: nobody asked for more.
    """
    good: float | None = None
    bad: float | None = None
    load = least
    while bad is None and (good is None or good < most):
        if holds(_point(load, over_rate)):
            good, load = load, min(load * 2, most)
        else:
            bad = load
    if good is None:
        return None
    while bad is not None and _is_apart(good, bad, over_rate):
        middle = (good + bad) / 2 if over_rate else float((int(good) + int(bad)) // 2)
        if holds(_point(middle, over_rate)):
            good = middle
        else:
            bad = middle
    return _point(good, over_rate)


def _point(load: float, over_rate: bool) -> Point:
    return Point(rate=round(load, 4)) if over_rate else Point(concurrency=int(load))


def _is_apart(good: float, bad: float, over_rate: bool) -> bool:
    return bad / good > _CLOSE if over_rate else bad - good > 1
