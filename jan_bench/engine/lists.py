"""Lists of values as llama-bench takes them: 1,2,4 or first-last, with +step or *factor."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

from jan_engine.errors import InvalidRequest

__all__ = ["parse_numbers", "parse_words"]

T = TypeVar("T")

_RANGE = re.compile(r"(?P<first>-?\d+)(?:-(?P<last>\d+)(?:(?P<how>[+*])(?P<step>\d+))?)?")
_MOST = 1000  # values; a slip of the finger must not fill the memory


def parse_numbers(name: str, given: Sequence[str], *, least: int = 0) -> list[int]:
    """`given` is what an option was given, once or several times. Raises InvalidRequest."""
    found: list[int] = []
    for text in ",".join(given).split(","):
        match = _RANGE.fullmatch(text.strip())
        if match is None:
            raise InvalidRequest(f"{name}: {text!r} is neither a number nor a range like 128-512*2")
        first = int(match["first"])
        last = first if match["last"] is None else int(match["last"])
        found += _range(name, text, first, last, match["how"] or "+", int(match["step"] or 1))
        if len(found) > _MOST:
            raise InvalidRequest(f"{name}: more than {_MOST} values")
    for value in found:
        if not least <= value < 2**31:
            raise InvalidRequest(f"{name}: {value} is not between {least} and {2**31 - 1}")
    return found


def _range(name: str, text: str, first: int, last: int, how: str, step: int) -> list[int]:
    if last < first:
        raise InvalidRequest(f"{name}: {text!r} ends before it begins")
    values: list[int] = []
    value = first
    while value <= last and len(values) <= _MOST:
        values.append(value)
        following = value + step if how == "+" else value * step
        if following <= value and last > first:
            raise InvalidRequest(f"{name}: {text!r} never ends")
        value = max(following, value + 1)
    return values


def parse_words(name: str, given: Sequence[str], values: Mapping[str, T]) -> list[T]:
    """What each word stands for. Raises InvalidRequest."""
    words = [text.strip() for text in ",".join(given).split(",")]
    for word in words:
        if word not in values:
            raise InvalidRequest(f"{name}: {word!r} is none of {', '.join(values)}")
    return [values[word] for word in words]
