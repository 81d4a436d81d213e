"""Fields that other servers know and we do not: each is settled, and none is swallowed. Slices have
tables of them beside their schemas; docs/api-compatibility.md shows them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from jan_server.errors import ApiError

__all__ = ["Foreign", "ForeignFields", "Harmless", "Refused", "without_foreign"]


class Harmless(NamedTuple):
    """The answer is as right without it. It is named in the header X-Jan-Ignored."""

    why: str


class Refused(NamedTuple):
    """Without it the answer would be another than was asked for."""

    why: str
    unless: tuple[Any, ...] = ()  # values that ask for what happens anyway


Foreign = Harmless | Refused
ForeignFields = Mapping[str, Foreign]


def without_foreign(
    kind: type[msgspec.Struct], raw: bytes, foreign: ForeignFields
) -> tuple[bytes, list[str]]:
    """The body without fields that `kind` lacks, and the names of harmless ones among them. Raises
    400 for a field that is refused or that nobody knows; null counts as absent. Costs a second look
    at the body's first level, which only a body with such a field pays.
    """
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    known = set(kind.__struct_encode_fields__)
    ignored: list[str] = []
    for name in fields.keys() - known:
        value = fields.pop(name)
        if bytes(value).strip() == b"null":
            continue
        settled = foreign.get(name)
        if settled is None:
            raise _refused(name, "There is no parameter", "unknown_parameter")
        if isinstance(settled, Harmless):
            ignored.append(name)
        elif msgspec.json.decode(value) not in settled.unless:
            raise _refused(name, settled.why, "unsupported_feature")
    return msgspec.json.encode(fields), sorted(ignored)


def _refused(name: str, why: str, code: str) -> ApiError:
    shown = name if len(name) <= 100 else name[:97] + "..."
    message = f"{why} '{shown}'" if code == "unknown_parameter" else f"{shown}: {why}"
    return ApiError(400, code, message, param=shown)
