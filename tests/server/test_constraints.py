"""Answers that have to be of a form."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.server.running import Running

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 4}, "age": {"enum": [1, 2, 3]}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def complete(server: Running, **asked: object) -> str:
    body: dict[str, object] = {"model": "random", "prompt": "abc", "max_tokens": 200, "seed": 1}
    answer = server.post("/v1/completions", body | asked)
    assert answer.status_code == 200, answer.text
    text: str = answer.json()["choices"][0]["text"]
    return text


@pytest.mark.parametrize(
    "asked",
    [
        {"json_schema": PERSON},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": PERSON}}},
        {"response_format": {"type": "json_schema", "schema": PERSON}},
        {"response_format": {"type": "json_object", "schema": PERSON}},
    ],
)
def test_a_schema_is_kept_in_each_spelling(random_server: Running, asked: dict[str, Any]) -> None:
    found = json.loads(complete(random_server, **asked))
    assert set(found) == {"name", "age"}
    assert found["age"] in {1, 2, 3}


def test_a_grammar_and_choices_are_kept(random_server: Running) -> None:
    grammar = 'root ::= "x" [0-9]+ "y"'
    text = complete(random_server, grammar=grammar, max_tokens=30, logit_bias=[["y", 5]])
    assert re.match(r"x\d", text)
    assert complete(random_server, guided_choice=["yes", "no"]) in {"yes", "no"}


def test_plain_text_is_free(random_server: Running) -> None:
    free = complete(random_server, max_tokens=20)
    assert complete(random_server, max_tokens=20, response_format={"type": "text"}) == free


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"grammar": "root ::= ("}, "grammar"),
        ({"grammar": 'root ::= "x"', "json_schema": PERSON}, "json_schema"),
        ({"json_schema": {"type": "nothing"}}, "json_schema"),
        ({"json_schema": False}, "json_schema"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {}}, "response_format"),
    ],
)
def test_a_form_that_cannot_be_is_refused(
    random_server: Running, asked: dict[str, object], param: str
) -> None:
    answer = random_server.post("/v1/completions", {"model": "random", "prompt": "a", **asked})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
