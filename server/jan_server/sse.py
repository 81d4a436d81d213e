"""Server-sent events as bytes. What changes from token to token stands between constant parts."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["TextFrame", "frame"]

_encoder = msgspec.json.Encoder()


def frame(chunk: msgspec.Struct | dict[str, Any], event: str = "") -> bytes:
    """`event`: its name, where a protocol names them."""
    name = b"event: " + event.encode() + b"\n" if event else b""
    return name + b"data: " + _encoder.encode(chunk) + b"\n\n"


class TextFrame:
    """Frames that differ in one text."""

    MARK = "\0text\0"

    def __init__(self, chunk: msgspec.Struct, event: str = "") -> None:
        """`chunk` has MARK where the text belongs."""
        mark = _encoder.encode(self.MARK)
        self._before, _, self._after = frame(chunk, event).partition(mark)

    def of(self, text: str) -> bytes:
        return self._before + _encoder.encode(text) + self._after
