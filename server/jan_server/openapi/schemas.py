"""The schemas of what routes read and give, with the texts of `fields`."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import msgspec

from jan_server.openapi.fields import FIELDS, OF_SETTINGS

__all__ = ["schemas_of"]


def schemas_of(
    *,
    read: Set[type[msgspec.Struct]],
    given: Set[type[msgspec.Struct]],
    ref: str,
    defaults: Mapping[str, Any],
) -> dict[str, Any]:
    """By name, those of every Struct that they lead to."""
    whole = _components(read | given, ref)
    answers = _components(given, ref)
    for name, schema in _components(read, ref).items():
        whole[name] = _described(name, schema, defaults, in_answers=name in answers)
    return whole


def _components(kinds: Set[type[msgspec.Struct]], ref: str) -> dict[str, Any]:
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    return msgspec.json.schema_components(ordered, ref_template=ref)[1]


def _described(
    struct: str, schema: dict[str, Any], defaults: Mapping[str, Any], *, in_answers: bool
) -> dict[str, Any]:
    """In a request null is the same as absent, so it is neither a type nor a default there."""
    properties: dict[str, Any] = {}
    for name, one in schema.get("properties", {}).items():
        told = dict(one) if in_answers else _without_null(one)
        text = FIELDS.get(f"{struct}.{name}", FIELDS.get(name))
        if text is not None:
            told["description"] = text.description
            if name in OF_SETTINGS:
                told["default"] = defaults[name]
            elif text.default is not msgspec.UNSET:
                told["default"] = text.default
        properties[name] = told
    return {**schema, "properties": properties}


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    told = {key: part for key, part in field.items() if key not in ("default", "anyOf")}
    kinds: list[dict[str, Any]] = [
        kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}
    ]
    if len(kinds) == 1:
        return told | kinds[0]
    return told | {"anyOf": kinds} if kinds else told
