"""A request's body into a Struct, or an error that names the field.

Decoding cannot be interrupted and holds the interpreter, on whatever thread it runs. What makes it
slow is how many values a body has, not how long it is: so they are counted before, in pieces.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from jan_server.errors import ApiError
from jan_server.foreign import ForeignFields, without_foreign

__all__ = ["LARGE_BYTES", "read_body", "read_list"]

LARGE_BYTES = 256 * 1024  # of a body that is not decoded on the event loop

Body = TypeVar("Body", bound=msgspec.Struct)
_UNKNOWN = re.compile(r"Object contains unknown field `[^`]*`")  # of the outermost object
_PLACE = re.compile(r"^(.*) - at `\$(.+)`$")  # of a value that msgspec refuses
_MOST_LISTS = 100_000  # and objects; each of them takes the collector's time, too
_MOST_NAMES = 300_000
_MOST_VALUES = 2_000_000
_PIECE = 64 * 1024


def read_body(
    kind: type[Body], raw: bytes, *, wrong_value: int, foreign: ForeignFields
) -> tuple[Body, list[str]]:
    """Decode JSON, whatever the content type says. Also the names of fields without effect.

    Raises 400 for text that is no JSON, for a required field that is missing or null and for a
    field that is refused or unknown, and `wrong_value` for a field with a wrong type or out of
    range; 413 for too many values.
    """
    ignored: list[str] = []
    try:
        _refuse_many_values(raw)
        try:
            return msgspec.json.decode(raw, type=kind), ignored
        except msgspec.ValidationError as refused:
            if not _UNKNOWN.fullmatch(str(refused)):
                raise
        raw, ignored = without_foreign(kind, raw, foreign)
        return msgspec.json.decode(raw, type=kind), ignored
    except msgspec.ValidationError as refused:
        raise _which_field(kind, raw, refused, wrong_value) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _broken("is not valid JSON") from None
    except RecursionError:
        raise _broken("is nested too deeply") from None


def read_list(kind: type[Body], raw: bytes, *, wrong_value: int) -> list[Body]:
    """The same of a body that is a bare array."""
    try:
        _refuse_many_values(raw)
        return msgspec.json.decode(raw, type=list[kind])  # type: ignore[valid-type]
    except msgspec.ValidationError as refused:
        found = _PLACE.match(str(refused))
        if found is None:
            raise _broken("must be a JSON array") from None
        why, place = found.groups()
        message = f"Parameter '{place}': {why}"
        raise ApiError(wrong_value, "invalid_parameter", message, param=place) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _broken("is not valid JSON") from None
    except RecursionError:
        raise _broken("is nested too deeply") from None


def _which_field(
    kind: type[Body], raw: bytes, refused: msgspec.ValidationError, wrong_value: int
) -> ApiError:
    """Look again, field by field: it costs only those who made a mistake."""
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return _broken("must be a JSON object")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _broken("is not valid JSON")
    except RecursionError:
        return _broken("is nested too deeply")
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        value = fields.get(name, _NULL)
        if memoryview(value).nbytes == 4 and bytes(value) == b"null":
            if field.required:
                message = f"Parameter '{name}' is required"
                return ApiError(400, "invalid_parameter", message, param=name)
            continue
        try:
            msgspec.json.decode(value, type=field.type)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as reason:
            message = f"Parameter '{name}': {reason}"
            return ApiError(wrong_value, "invalid_parameter", message, param=name)
    return ApiError(wrong_value, "invalid_parameter", str(refused))


_NULL = msgspec.Raw(b"null")


def _refuse_many_values(raw: bytes) -> None:
    if len(raw) <= LARGE_BYTES:
        return
    n_lists = raw.count(b"[") + raw.count(b"{")
    if n_lists > _MOST_LISTS or raw.count(b":") > _MOST_NAMES or raw.count(b",") > _MOST_VALUES:
        n_lists, n_names, n_values = _count(raw)  # without what stands in texts
        if n_lists > _MOST_LISTS or n_names > _MOST_NAMES or n_values > _MOST_VALUES:
            message = (
                f"The request's body has more than {_MOST_VALUES} values, {_MOST_NAMES} names or "
                f"{_MOST_LISTS} lists and objects"
            )
            raise ApiError(413, "request_too_large", message)


def _count(raw: bytes) -> tuple[int, int, int]:
    """Lists and objects, names, and commas. In pieces, so that other threads have their turn."""
    n_lists = n_names = n_values = 0
    in_text = False
    cut = b""  # the first half of an escape
    for start in range(0, len(raw), _PIECE):
        piece = cut + raw[start : start + _PIECE]
        n_backslashes = len(piece) - len(piece.rstrip(b"\\"))
        cut = piece[-1:] if n_backslashes % 2 else b""
        piece = piece[: len(piece) - len(cut)]
        parts = piece.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        outside = b"".join(parts[1::2] if in_text else parts[::2])
        in_text ^= len(parts) % 2 == 0
        n_lists += outside.count(b"[") + outside.count(b"{")
        n_names += outside.count(b":")
        n_values += outside.count(b",")
    return n_lists, n_names, n_values


def _broken(how: str) -> ApiError:
    return ApiError(400, "invalid_json", f"The request's body {how}")
