"""Schemas over HTTP: what is wrong or not held is named by its field and place."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.server.running import Running

EDGE: dict[str, Any] = {
    "type": "object",
    "properties": {"a b": {"type": "string", "pattern": r"\bx", "maxLength": 3}},
    "additionalProperties": False,
}
PLACE = "#/properties/a%20b"


def formatted(schema: object, **more: object) -> dict[str, object]:
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "x", "schema": schema, **more},
        }
    }


def tools(parameters: object, **more: object) -> dict[str, object]:
    function = {"name": "f", "parameters": parameters, **more}
    return {"tools": [{"type": "function", "function": function}]}


def chat(server: Running, **asked: object) -> httpx.Response:
    body = {"model": "calling", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5}
    return server.post("/v1/chat/completions", body | asked)


WRONG = {"type": "object", "properties": {"a": {"type": "wrong"}}}
NOWHERE = {"$ref": "#/$defs/none"}


@pytest.mark.parametrize(
    ("asked", "param", "place"),
    [
        (formatted(WRONG), "response_format", "at #/properties/a:"),
        (formatted(NOWHERE), "response_format", "at #: $ref #/$defs/none names nothing"),
        (formatted({"const": 1, "type": "string"}), "response_format", "nothing satisfies"),
        ({"json_schema": WRONG}, "json_schema", "at #/properties/a:"),
        (tools(WRONG), "tools", "at #/0/function/parameters/properties/a:"),
        (tools(NOWHERE), "tools", "at #/0/function/parameters:"),
        (formatted(EDGE, strict=True), "response_format", f"{PLACE}: pattern: "),
        (tools(EDGE, strict=True), "tools", "#/0/function/parameters/properties/a%20b: pattern: "),
    ],
)
def test_a_wrong_schema_is_named_by_its_field_and_place(
    calling_server: Running, asked: dict[str, object], param: str, place: str
) -> None:
    answer = chat(calling_server, **asked)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["param"] == param
    assert error["message"].startswith(f"{param}: ")
    assert place in error["message"]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (formatted(EDGE), f"response_format{PLACE}/pattern"),
        (tools(EDGE), "tools#/0/function/parameters/properties/a%20b/pattern"),
    ],
)
def test_what_is_not_held_is_named_in_the_head(
    calling_server: Running, asked: dict[str, object], named: str
) -> None:
    answer = chat(calling_server, **asked)
    assert answer.status_code == 200, answer.text
    assert named in answer.headers["x-jan-ignored"].split(", ")


def test_text_completions_say_the_same(random_server: Running) -> None:
    body: dict[str, object] = {"model": "random", "prompt": "x", "max_tokens": 5}
    free = random_server.post("/v1/completions", body | formatted(EDGE))
    assert free.headers["x-jan-ignored"] == f"response_format{PLACE}/pattern"
    strict = random_server.post("/v1/completions", body | formatted(EDGE, strict=True))
    assert (strict.status_code, strict.json()["error"]["param"]) == (400, "response_format")
    assert PLACE in strict.json()["error"]["message"]


def test_what_a_template_has_no_room_for_is_told_so(calling_server: Running) -> None:
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}] * 24_000
    answer = chat(calling_server, messages=messages)
    assert answer.status_code in {400, 422}, answer.text
    error = answer.json()["error"]
    assert error["param"] == "messages"
    assert "chat template would make more" in error["message"]
