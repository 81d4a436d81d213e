"""The OpenAPI document, from what routes say of themselves and the Structs they read and give."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from jan_server.openapi.info import INFO, SERVERS, TAGS
from jan_server.openapi.operations import MODEL, OPERATIONS, PATH_PARAMETERS, Operation
from jan_server.openapi.schemas import schemas_of
from jan_server.requests import Route

__all__ = ["openapi_document"]

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_REF = "#/components/schemas/{name}"
_PLAIN = Operation()


class _ErrorBody(msgspec.Struct):
    type: str
    code: str
    message: str
    param: str | None
    request_id: str


class ErrorEnvelope(msgspec.Struct):
    """Every error has this shape."""

    error: _ErrorBody
    message: str
    request_id: str


def openapi_document(
    routes: Sequence[Route], *, version: str, defaults: Mapping[str, Any], model: str | None
) -> bytes:
    """`defaults`: of the fields whose default is a setting. `model`: an id that examples may name;
    without one they leave it out.
    """
    schemas = schemas_of(
        read={route.facts.reads for route in routes if route.facts.reads},
        given={route.facts.gives for route in routes if route.facts.gives} | {ErrorEnvelope},
        ref=_REF,
        defaults=defaults,
    )
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        for path, name in _places(route):
            paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, name)
    used = dict.fromkeys(route.facts.tag for route in routes)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {**INFO, "version": version},
        "servers": SERVERS,
        "tags": [
            {"name": tag, **({"description": TAGS[tag]} if tag in TAGS else {})}
            for tag in [*(tag for tag in TAGS if tag in used), *(t for t in used if t not in TAGS)]
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearerAuth": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "API-Key",
                    "description": "A key, where the server asks for one.",
                }
            },
        },
        "security": [{}, {"bearerAuth": []}],  # a key only where the server has one
    }
    return msgspec.json.encode(_named(document, model))


def _places(route: Route) -> Iterator[tuple[str, str]]:
    """Paths in the document, each with its operation's id: a route for any path has several."""
    if not route.facts.paths:
        yield _PARAMETER.sub(r"{\1}", route.path), route.name
    for path in route.facts.paths:
        yield path, f"{route.name}_{path.rsplit('/', 1)[-1]}"


def _operation(route: Route, path: str, name: str) -> dict[str, Any]:
    facts = route.facts
    said = OPERATIONS.get(route.name, _PLAIN)
    answers: dict[str, Any] = {"200": {"description": "Successful Response", "content": {}}}
    content: dict[str, Any] = answers["200"]["content"]
    if facts.gives:
        content["application/json"] = {"schema": _of(facts.gives, in_list=facts.gives_list)}
        if said.answer is not None:
            content["application/json"]["example"] = said.answer
    if facts.streams:
        content["text/event-stream"] = {
            "schema": {
                "type": "string",
                "format": "binary",
                "description": "Server-sent events stream for streaming responses",
            }
        }
    for status, text in sorted({**dict(_statuses(route)), **said.statuses}.items()):
        answers[status] = {
            "description": text,
            "content": {"application/json": {"schema": _reference(ErrorEnvelope)}},
        }
    operation: dict[str, Any] = {
        "tags": [facts.tag],
        "summary": route.summary,
        "operationId": name,
        "responses": answers,
    }
    if said.description:
        operation["description"] = said.description
    if facts.public:
        operation["security"] = []
    if facts.reads:
        body: dict[str, Any] = {"schema": _of(facts.reads, in_list=facts.reads_list)}
        if said.examples:
            body["examples"] = {
                key: {
                    "summary": one.summary,
                    **({"description": one.description} if one.description else {}),
                    "value": one.value,
                }
                for key, one in said.examples.items()
            }
        operation["requestBody"] = {"required": True, "content": {"application/json": body}}
    if parameters := [*_in_path(path), *_in_query(route)]:
        operation["parameters"] = parameters
    return operation


def _in_path(path: str) -> Iterator[dict[str, Any]]:
    for name in _PARAMETER.findall(path):
        parameter = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        if name in PATH_PARAMETERS:
            parameter["example"] = PATH_PARAMETERS[name]
        yield parameter


def _in_query(route: Route) -> Iterator[dict[str, Any]]:
    for one in route.query:
        schema = _without_null(msgspec.json.schema(one.type))
        if one.default is not None:
            schema["default"] = one.default
        yield {"name": one.name, "in": "query", "required": False, "schema": schema}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return dict(kinds[0]) if len(kinds) == 1 else schema


def _statuses(route: Route) -> Iterable[tuple[str, str]]:
    facts = route.facts
    names_model = facts.reads is not None and "model" in facts.reads.__struct_fields__
    if not facts.public:
        yield "401", "A key is needed, or the key is unknown"
    if names_model or "{model_id" in route.path or "{catalog_id" in route.path:
        yield "404", "There is no such model"
    if facts.reads:
        yield "400", "A field is missing, unknown or wrong; `param` names it"
        if facts.wrong_value == 422:
            yield "422", "Validation Error"
    if facts.gives and not facts.public:
        yield "503", "The model is being loaded, or the server is full or ends"


def _of(kind: type[msgspec.Struct], *, in_list: bool) -> dict[str, Any]:
    one = _reference(kind)
    return {"type": "array", "items": one} if in_list else one


def _reference(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=kind.__name__)}


def _named(value: Any, model: str | None) -> Any:  # noqa: ANN401 - any part of the document
    """With the model's id where examples name it, or without the fields that would."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        named = {key: _named(one, model) for key, one in members.items()}
        return {key: one for key, one in named.items() if one is not None or members[key] is None}
    if isinstance(value, list):
        return [_named(one, model) for one in cast("Sequence[Any]", value)]
    return model if isinstance(value, str) and value == MODEL else value
