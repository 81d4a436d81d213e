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
        if name not in answers:
            whole[name] = _described(name, schema, defaults)
    return whole


def _components(kinds: Set[type[msgspec.Struct]], ref: str) -> dict[str, Any]:
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    return msgspec.json.schema_components(ordered, ref_template=ref)[1]


def _described(struct: str, schema: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A request's: null is the same as absent, so it is neither a type nor a default here."""
    properties: dict[str, Any] = {}
    for name, one in schema.get("properties", {}).items():
        told = {key: part for key, part in one.items() if key != "default"}
        kinds = [kind for kind in told.pop("anyOf", ()) if kind != {"type": "null"}]
        if len(kinds) == 1:
            told |= kinds[0]
        elif kinds:
            told["anyOf"] = kinds
        text = FIELDS.get(f"{struct}.{name}", FIELDS.get(name))
        if text is not None:
            told["description"] = text.description
            if name in OF_SETTINGS:
                told["default"] = defaults[name]
            elif text.default is not msgspec.UNSET:
                told["default"] = text.default
        properties[name] = told
    return {**schema, "properties": properties}
