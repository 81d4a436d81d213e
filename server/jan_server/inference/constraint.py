"""What an answer has to be, from the fields by which clients of several servers say so."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from jan_engine import (
    AsyncEngine,
    Choices,
    CompiledConstraint,
    Constraint,
    Grammar,
    InvalidRequest,
    JsonSchema,
)
from jan_server.errors import ApiError
from jan_server.inference.generation import GenerationFields

__all__ = ["asked_constraint", "compiled_constraint"]


async def compiled_constraint(
    fields: GenerationFields, engine: AsyncEngine
) -> CompiledConstraint | None:
    """On another thread, since it may take a second. Raises 400 for one that cannot be."""
    name, constraint = asked_constraint(fields)
    if constraint is None:
        return None
    try:
        return await asyncio.to_thread(engine.compile, constraint)
    except InvalidRequest as error:
        raise _wrong(name, str(error)) from None


def asked_constraint(fields: GenerationFields) -> tuple[str, Constraint | None]:
    """The field that asks for it, and the constraint. Raises 400 where two fields ask."""
    given: dict[str, Constraint | None] = {
        "grammar": Grammar(fields.grammar) if fields.grammar else None,
        "json_schema": _of_schema("json_schema", fields.json_schema),
        "response_format": _of_format(fields.response_format),
        "guided_choice": Choices(tuple(fields.guided_choice)) if fields.guided_choice else None,
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
        return schema
    raise _wrong("response_format", f"there is no type {kind!r}")


def _of_schema(name: str, schema: object) -> JsonSchema | None:
    if schema is None:
        return None
    if schema is True:
        return JsonSchema({})
    if not isinstance(schema, dict):
        raise _wrong(name, "a schema is an object")
    return JsonSchema(cast("dict[str, Any]", schema))


def _wrong(param: str, why: str) -> ApiError:
    message = why if why.startswith(param) else f"{param}: {why}"
    return ApiError(400, "invalid_parameter", message, param=param)
