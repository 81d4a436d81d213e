"""What an answer has to be, from the fields by which clients of several servers say so."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, cast

import msgspec

from jan_engine import (
    Choices,
    CompiledConstraint,
    Constraint,
    Grammar,
    InvalidRequest,
    JsonSchema,
    Regex,
)
from jan_server.errors import ApiError
from jan_server.inference.generation import GenerationFields
from jan_server.inference.served_model import ServedModel
from jan_server.telemetry.record import note_ignored

__all__ = ["asked_constraint", "compiled_constraint", "note_unheld"]

_STRUCTURED = {"json", "json_object", "regex", "choice", "grammar"}
# Which of vLLM's backends, and what it may try instead: there is one here, and it needs no other.
_STRUCTURED_HINTS = {"backend", "disable_fallback", "_backend", "_backend_was_auto"}
_STRUCTURED_REFUSED = {
    "structural_tag": "tags around parts of a text are not supported",
    "whitespace_pattern": "whitespace between JSON's parts is llama.cpp's",
    "disable_any_whitespace": "whitespace between JSON's parts is llama.cpp's",
    "disable_additional_properties": "say additionalProperties: false in the schema",
}


async def compiled_constraint(
    fields: GenerationFields, served: ServedModel
) -> CompiledConstraint | None:
    """On a thread for texts, since it may take a second. Raises 400 for one that cannot be."""
    name, constraint = asked_constraint(fields)
    if constraint is None:
        return None
    try:
        made = await served.text_work.run(
            partial(served.engine.compile, constraint), 0, is_slow=True
        )
    except InvalidRequest as error:
        raise _wrong(name, str(error)) from None
    note_unheld(f"{name}: {unheld}" for unheld in made.unheld)
    return made


def note_unheld(found: Iterable[str]) -> None:
    """What no grammar holds, "FIELD: PLACE: KEYWORD: why", by its place in the answer's head."""
    for unheld in found:
        field, place, keyword, _ = unheld.split(": ", 3)
        note_ignored(f"{field}{place}/{keyword}")


def asked_constraint(fields: GenerationFields) -> tuple[str, Constraint | None]:
    """The field that asks for it, and the constraint. Raises 400 where two fields ask."""
    given: dict[str, Constraint | None] = {
        "grammar": Grammar(fields.grammar) if fields.grammar else None,
        "ebnf": Grammar(fields.ebnf) if fields.ebnf else None,
        "guided_grammar": Grammar(fields.guided_grammar) if fields.guided_grammar else None,
        "json_schema": _of_schema("json_schema", fields.json_schema),
        "guided_json": _of_schema("guided_json", fields.guided_json),
        "guided_json_object": _any_object(fields.guided_json_object),
        "response_format": _of_format(fields.response_format),
        "regex": Regex(fields.regex) if fields.regex else None,
        "guided_regex": Regex(fields.guided_regex) if fields.guided_regex else None,
        "guided_choice": Choices(tuple(fields.guided_choice)) if fields.guided_choice else None,
        "structured_outputs": _of_structured(fields.structured_outputs),
    }
    asked = [(name, constraint) for name, constraint in given.items() if constraint is not None]
    if len(asked) > 1:
        raise _wrong(asked[1][0], f"{asked[0][0]} and {asked[1][0]} exclude each other")
    return asked[0] if asked else ("", None)


def _of_format(given: dict[str, Any] | None) -> Constraint | None:
    kind = "text" if given is None else given.get("type")
    if given is None or kind == "text":
        return None
    if kind == "json_object":
        return _of_schema("response_format", given.get("schema")) or JsonSchema({"type": "object"})
    if kind == "json_schema":
        inner: Any = given.get("json_schema")
        named = cast("dict[str, Any]", inner) if isinstance(inner, dict) else given
        schema = _of_schema("response_format", named.get("schema"))
        if schema is None:
            raise _wrong("response_format", "json_schema needs a schema")
        return msgspec.structs.replace(schema, strict=named.get("strict") is True)
    if kind == "regex":  # llama-swap's and TGI's
        return Regex(_text_of("response_format", given, "pattern", "value"))
    if kind == "grammar":
        return Grammar(_text_of("response_format", given, "grammar", "value"))
    raise _wrong("response_format", f"there is no type {kind!r}")


def _of_structured(given: dict[str, Any] | None) -> Constraint | None:
    """vLLM's: an object whose one key says what holds the text."""
    field = "structured_outputs"
    if given is None:
        return None
    kinds = {name: value for name, value in given.items() if value is not None}
    for name in _STRUCTURED_HINTS & kinds.keys():
        del kinds[name]
    for name, why in _STRUCTURED_REFUSED.items():
        if kinds.pop(name, None):
            raise _wrong(field, f"{name}: {why}")
    unknown = kinds.keys() - _STRUCTURED
    if unknown:
        raise _wrong(field, f"there is no {min(unknown)!r}; it is {', '.join(sorted(_STRUCTURED))}")
    if len(kinds) != 1:
        raise _wrong(field, f"needs exactly one of {', '.join(sorted(_STRUCTURED))}")
    ((kind, value),) = kinds.items()
    if kind == "json":
        return _of_schema(field, value)
    if kind == "json_object":
        return _any_object(bool(value))
    if kind == "choice":
        try:
            return Choices(msgspec.convert(value, tuple[str, ...]))
        except msgspec.ValidationError:
            raise _wrong(field, "choice is a list of texts") from None
    text = _text_of(field, given, kind)
    return Regex(text) if kind == "regex" else Grammar(text)


def _text_of(field: str, given: dict[str, Any], *names: str) -> str:
    for name in names:
        value = given.get(name)
        if isinstance(value, str) and value:
            return value
    raise _wrong(field, f"{names[0]} is a text")


def _any_object(wanted: bool | None) -> JsonSchema | None:
    return JsonSchema({"type": "object"}) if wanted else None


def _of_schema(name: str, schema: object) -> JsonSchema | None:
    """A text is a schema as JSON, as vLLM's and SGLang's clients send it."""
    if schema is None:
        return None
    if isinstance(schema, str):
        try:
            schema = msgspec.json.decode(schema)
        except (msgspec.DecodeError, RecursionError):
            raise _wrong(name, "the text is no JSON") from None
    if schema is True:
        return JsonSchema({})
    if not isinstance(schema, dict):
        raise _wrong(name, "a schema is an object")
    return JsonSchema(cast("dict[str, Any]", schema))


def _wrong(param: str, why: str) -> ApiError:
    message = why if why.startswith(param) else f"{param}: {why}"
    return ApiError(400, "invalid_parameter", message, param=param)
