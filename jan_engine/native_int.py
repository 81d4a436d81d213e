"""Numbers on their way to native code, which keeps them in 32 bits."""

from __future__ import annotations

from jan_engine.errors import InvalidRequest

__all__ = ["native_float", "native_int", "token_ids"]

_MOST = 2**31 - 1
_LARGEST_FLOAT = 3.4e38


def native_int(name: str, value: int) -> int:
    """The value, unless it is too large; what is allowed below that, native code decides."""
    if not -_MOST <= value <= _MOST:
        raise InvalidRequest(f"{name}: {value} is not between -{_MOST} and {_MOST}")
    return value


def native_float(name: str, value: float) -> float:
    """The value, unless it is too large; what is allowed below that, native code decides."""
    if _LARGEST_FLOAT < abs(value) < float("inf"):
        raise InvalidRequest(f"{name}: {value} is too large")
    return value


def token_ids(name: str, tokens: list[int]) -> list[int]:
    """The tokens, if each is one in some vocabulary."""
    for token in tokens:
        if not 0 <= token <= _MOST:
            raise InvalidRequest(f"{name}: {token} is not a token id")
    return tokens
