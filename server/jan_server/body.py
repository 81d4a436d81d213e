"""A request's body into a Struct, or an error that names the field."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from jan_server.errors import ApiError
from jan_server.foreign import ForeignFields, without_foreign

__all__ = ["read_body", "read_list"]

Body = TypeVar("Body", bound=msgspec.Struct)
_UNKNOWN = re.compile(r"Object contains unknown field `[^`]*`")  # of the outermost object
_PLACE = re.compile(r"^(.*) - at `\$(.+)`$")  # of a value that msgspec refuses


def read_body(
    kind: type[Body], raw: bytes, *, wrong_value: int, foreign: ForeignFields
) -> tuple[Body, list[str]]:
    """Decode JSON, whatever the content type says. Also the names of fields without effect.

    Raises 400 for text that is no JSON, for a required field that is missing or null and for a
    field that is refused or unknown, and `wrong_value` for a field with a wrong type or out of
    range.
    """
    ignored: list[str] = []
    try:
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
        fields = msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.ValidationError:
        return _broken("must be a JSON object")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _broken("is not valid JSON")
    except RecursionError:
        return _broken("is nested too deeply")
    for field in msgspec.structs.fields(kind):
        value = fields.get(field.encode_name)
        if value is None:
            if field.required:
                return ApiError(
                    400,
                    "invalid_parameter",
                    f"Parameter '{field.encode_name}' is required",
                    param=field.encode_name,
                )
            continue
        try:
            msgspec.convert(value, field.type, strict=True)
        except (msgspec.ValidationError, RecursionError) as reason:
            return ApiError(
                wrong_value,
                "invalid_parameter",
                f"Parameter '{field.encode_name}': {reason}",
                param=field.encode_name,
            )
    return ApiError(wrong_value, "invalid_parameter", str(refused))


def _broken(how: str) -> ApiError:
    return ApiError(400, "invalid_json", f"The request's body {how}")
