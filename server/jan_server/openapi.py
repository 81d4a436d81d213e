"""The OpenAPI document, from what routes say of themselves and the Structs they read and give."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from jan_server.requests import Route

__all__ = ["openapi_document"]

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_REF = "#/components/schemas/{name}"


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


def openapi_document(routes: Sequence[Route], *, version: str) -> bytes:
    structs = {kind for route in routes for kind in (route.facts.reads, route.facts.gives) if kind}
    ordered = sorted(structs, key=lambda kind: kind.__name__)
    _, components = msgspec.json.schema_components([*ordered, ErrorEnvelope], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Jan API",
            "description": "OpenAI-compatible API for local inference with llama.cpp.",
            "version": version,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.facts.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"bearerAuth": []}],  # a key only where the server has one
    }
    return msgspec.json.encode(document)


def _operation(route: Route) -> dict[str, Any]:
    facts = route.facts
    answers: dict[str, Any] = {"200": {"description": "Successful Response", "content": {}}}
    content: dict[str, Any] = answers["200"]["content"]
    if facts.gives:
        schema = _of(facts.gives, in_list=facts.gives_list)
        content["application/json"] = {"schema": schema}
    if facts.streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    for status in _error_statuses(route):
        answers[status] = {
            "description": "Error",
            "content": {"application/json": {"schema": _reference(ErrorEnvelope)}},
        }
    operation: dict[str, Any] = {
        "tags": [facts.tag],
        "summary": route.summary,
        "operationId": route.name,
        "responses": answers,
    }
    if facts.public:
        operation["security"] = []
    if facts.reads:
        schema = _of(facts.reads, in_list=facts.reads_list)
        body = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": True, "content": body}
    parameters = _PARAMETER.findall(route.path)
    if parameters:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in parameters
        ]
    return operation


def _error_statuses(route: Route) -> Iterable[str]:
    if not route.facts.public:
        yield "401"
    if route.facts.reads:
        yield "400"
        if route.facts.wrong_value == 422:
            yield "422"
    if route.facts.gives and not route.facts.public:
        yield "503"


def _of(kind: type[msgspec.Struct], *, in_list: bool) -> dict[str, Any]:
    one = _reference(kind)
    return {"type": "array", "items": one} if in_list else one


def _reference(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=kind.__name__)}
