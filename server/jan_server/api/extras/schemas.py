"""The wire of /extras."""

from __future__ import annotations

import msgspec

from jan_server.ids import ModelName

__all__ = [
    "DetokenizeRequest",
    "Detokenized",
    "PieceList",
    "TokenCount",
    "TokenList",
    "TokenPiece",
    "TokenizeRequest",
]


class TokenizeRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    input: str
    model: ModelName | None = None
    add_special: bool | None = None  # false
    parse_special: bool | None = None  # true
    with_pieces: bool | None = None  # false


class TokenList(msgspec.Struct):
    tokens: list[int]


class TokenPiece(msgspec.Struct):
    """`piece` is a list of bytes where the token is no whole text."""

    id: int
    piece: str | list[int]


class PieceList(msgspec.Struct):
    tokens: list[TokenPiece]


class TokenCount(msgspec.Struct):
    count: int


class DetokenizeRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    tokens: list[int]
    model: ModelName | None = None


class Detokenized(msgspec.Struct):
    text: str
