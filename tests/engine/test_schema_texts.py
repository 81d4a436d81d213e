"""What a schema's grammar allows satisfies the schema, by another program's reading of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple, cast

import jsonschema
import pytest

from jan_engine import InvalidRequest, read_schema
from tests.conftest import ROOT

PROGRAM = ROOT / os.environ.get("JAN_BUILD", "build/dev") / "tests/csrc/sample_schemas"

Schema = dict[str, Any] | bool


class Sampled(NamedTuple):
    texts: list[str]
    unheld: list[str]
    error: str


def sample(schemas: Sequence[object], n: int = 30) -> list[Sampled]:
    given = "\n".join(json.dumps(schema) for schema in schemas) + "\n"
    done = subprocess.run(
        [str(PROGRAM), str(n)], input=given, capture_output=True, text=True, check=True
    )
    lines = iter(done.stdout.split("\n"))
    found: list[Sampled] = []
    for _ in schemas:
        n_texts, n_unheld = map(int, next(lines).split())
        if n_texts < 0:
            found.append(Sampled([], [], next(lines)))
            continue
        unheld = [next(lines) for _ in range(n_unheld)]
        found.append(Sampled([next(lines) for _ in range(n_texts)], unheld, ""))
    return found


def string(**more: object) -> dict[str, object]:
    return {"type": "string", **more}


def thing(properties: object = None, **more: object) -> dict[str, object]:
    return {"type": "object", **({} if properties is None else {"properties": properties}), **more}


WORD = string(pattern="^[a-z]{1,3}$")
SMALL: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 3}
COLOURS = ["red", "green", "blue"]

# Each of them is held whole.
HELD: dict[str, Schema] = {
    "digits and words": string(pattern=r"^\d{2}\w{3}$"),
    "spaces": string(pattern=r"^a\s?b$"),
    "found anywhere": string(pattern="ab+c", maxLength=12),
    "begins": string(pattern="^ab", maxLength=8),
    "ends": string(pattern="ab$", maxLength=8),
    "alternatives, each anchored": string(pattern="^a$|^bc$"),
    "anchors in groups": string(pattern="(^a|b)(c|d$)", maxLength=6),
    "not these": string(pattern="^[^a-z]{3}$"),
    "quotes and backslashes": string(pattern=r'^["\\/]{4}$'),
    "a lazy one": string(pattern="^a+?b{2,}?$", maxLength=9),
    "not ASCII": string(pattern="^[à-ü€]{2,4}😀$"),
    "escapes": string(pattern=r"^\x41\u0042[\x30-\x39]\.$"),
    "ahead": string(pattern=r"^(?=.*[A-Z])(?=.*\d)[A-Za-z\d]{4,8}$"),
    "not ahead": string(pattern="^(?!ab)[a-c]{3}$"),
    "pattern and length": string(pattern="^[ab]*$", minLength=3, maxLength=5),
    "two patterns": {"allOf": [string(pattern="a"), string(pattern="b")], "maxLength": 6},
    "length": string(minLength=2, maxLength=4),
    "emails": string(format="email"),
    "dates": string(format="date-time"),
    "addresses": {
        "type": "array",
        "items": {"anyOf": [string(format="ipv4"), string(format="ipv6")]},
        "maxItems": 4,
    },
    "uuid": string(format="uuid"),
    "durations": string(format="duration"),
    "number in a range": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "number with a point": {"type": "number", "minimum": -2.75, "exclusiveMaximum": 10.25},
    "number below": {"type": "number", "maximum": -0.5},
    "number above": {"type": "number", "exclusiveMinimum": 12345.678},
    "number by exponent": {"type": "number", "minimum": 1e-3, "maximum": 2.5e2},
    "integer by floats": {"type": "integer", "minimum": 2.5, "maximum": 9.5},
    "integers around zero": {"type": "integer", "minimum": -12, "maximum": 105},
    "integers above": {"type": "integer", "exclusiveMinimum": 99},
    "big integers": {"type": "integer", "minimum": 2**53, "maximum": 2**64},
    "multiple": {"type": "integer", "multipleOf": 7, "minimum": 1},
    "multiple in a range": {"type": "integer", "multipleOf": 12, "minimum": -100, "maximum": 100},
    "cents": {"type": "number", "multipleOf": 0.05, "minimum": 0, "maximum": 3},
    "two multiples": {"type": "integer", "allOf": [{"multipleOf": 4}, {"multipleOf": 6}]},
    "integers by halves": {"type": "integer", "multipleOf": 2.5},
    "an enum in bounds": {"enum": [1, 5, 10, "x", None], "minimum": 3},
    "const beside a type": {"type": ["string", "null"], "enum": ["a", 1, None]},
    "names by pattern": thing(
        patternProperties={"^s_[a-z]{1,3}$": WORD, "^n": SMALL}, minProperties=1, maxProperties=3
    ),
    "names by pattern and no others": thing(
        {"id": SMALL},
        patternProperties={"^x-[a-c]{1,2}$": {"const": 1}},
        additionalProperties=False,
        required=["id"],
    ),
    "a listed name with a pattern": thing(
        {"ab": {"minimum": 1}},
        patternProperties={"^a": SMALL},
        required=["ab", "ac"],
        additionalProperties=False,
    ),
    "property names": thing(
        propertyNames={"pattern": "^[a-z]{2}$"},
        additionalProperties=SMALL,
        minProperties=1,
        maxProperties=2,
    ),
    "property names of a list": thing(
        propertyNames={"enum": ["a", "b"]}, additionalProperties=SMALL, maxProperties=2
    ),
    "at least two": thing({"a": SMALL, "b": SMALL, "c": SMALL}, minProperties=2),
    "at most two": thing({"a": SMALL, "b": SMALL, "c": SMALL}, maxProperties=2, required=["c"]),
    "others": thing({"a": SMALL}, additionalProperties=WORD, maxProperties=4),
    "contains": {"type": "array", "items": SMALL, "contains": {"const": 2}, "maxItems": 5},
    "contains two": {
        "type": "array",
        "items": SMALL,
        "contains": {"minimum": 2},
        "minContains": 2,
        "maxContains": 3,
        "maxItems": 6,
    },
    "unique": {"type": "array", "items": {"enum": COLOURS}, "uniqueItems": True, "minItems": 2},
    "unique truths": {"type": "array", "items": {"type": ["boolean", "null"]}, "uniqueItems": True},
    "tuple": {"type": "array", "prefixItems": [SMALL, WORD], "items": False},
    "tuple and more": {
        "type": "array",
        "prefixItems": [SMALL, WORD],
        "items": {"type": "null"},
        "maxItems": 5,
    },
    "short tuple": {"type": "array", "prefixItems": [SMALL, WORD], "minItems": 0},
    "counted": {"type": "array", "items": WORD, "minItems": 2, "maxItems": 4},
    "not this": {"type": "string", "pattern": "^[ab]{1,2}$", "not": {"const": "ab"}},
    "none of these": {**SMALL, "not": {"enum": [0, 3, "x"]}},
    "not that type": {"not": {"type": ["object", "array", "string", "number"]}},
    "not a pattern": string(maxLength=4, **{"not": {"pattern": "a|b"}}),
    "not a range": {
        "type": "integer",
        "minimum": 0,
        "maximum": 9,
        "not": {"minimum": 3, "maximum": 5},
    },
    "not there": thing({"a": SMALL, "b": SMALL}, **{"not": {"required": ["a"]}}),
    "not both": thing({"a": SMALL, "b": SMALL}, **{"not": {"required": ["a", "b"]}}),
    "anyOf beside properties": thing(
        {"a": SMALL, "b": SMALL}, anyOf=[{"required": ["a"]}, {"required": ["b"]}]
    ),
    "oneOf beside properties": thing(
        {"a": SMALL, "b": SMALL}, oneOf=[{"required": ["a"]}, {"required": ["b"]}]
    ),
    "oneOf of numbers": {
        "oneOf": [
            {"type": "integer", "minimum": 0, "maximum": 5},
            {"type": "integer", "minimum": 3, "maximum": 9},
        ]
    },
    "oneOf by kind": {
        "oneOf": [
            thing({"kind": {"const": "a"}, "n": SMALL}, required=["kind", "n"]),
            thing({"kind": {"const": "b"}, "w": WORD}, required=["kind"]),
        ]
    },
    "allOf of objects": {
        "allOf": [
            thing({"a": SMALL}, required=["a"]),
            thing({"a": {"minimum": 2}, "b": WORD}, required=["b"]),
        ]
    },
    "allOf through references": {
        "$defs": {"base": thing({"id": SMALL}, required=["id"])},
        "allOf": [{"$ref": "#/$defs/base"}],
        "properties": {"name": WORD},
        "required": ["name"],
    },
    "beside a reference": {
        "$defs": {"n": {"type": "integer", "maximum": 20}},
        "$ref": "#/$defs/n",
        "minimum": 18,
    },
    "if": thing(
        {"kind": {"enum": ["a", "b"]}, "n": SMALL},
        required=["kind"],
        **{
            "if": {"properties": {"kind": {"const": "a"}}},
            "then": {"required": ["n"]},
            "else": {"maxProperties": 1},
        },
    ),
    "dependent": thing({"card": WORD, "address": WORD}, dependentRequired={"card": ["address"]}),
    "dependent schemas": thing(
        {"a": SMALL, "b": SMALL},
        dependentSchemas={"a": {"required": ["b"], "properties": {"b": {"const": 1}}}},
    ),
    "recursive": {
        "$defs": {
            "node": thing(
                {"v": SMALL, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
                required=["v"],
            )
        },
        "$ref": "#/$defs/node",
    },
    "itself": thing({"v": SMALL, "next": {"$ref": "#"}}, required=["v"]),
    "types of several": {
        "type": ["integer", "string", "array"],
        "minimum": 5,
        "maxLength": 2,
        "maxItems": 1,
        "items": SMALL,
    },
    "false property": thing({"a": SMALL, "b": False}),
    "names that need escapes": thing(
        {'a"\\]^\n': SMALL, "é": SMALL},
        required=['a"\\]^\n'],
        additionalProperties=SMALL,
        maxProperties=3,
    ),
    "anything": True,
    "any object": {"type": "object"},
    "mixed": thing(
        {
            "name": string(minLength=1, maxLength=8),
            "age": {"type": "integer", "minimum": 0, "maximum": 150},
            "tags": {
                "type": "array",
                "items": {"enum": COLOURS},
                "uniqueItems": True,
                "maxItems": 2,
            },
            "price": {"type": "number", "minimum": 0, "multipleOf": 0.01, "maximum": 100},
        },
        required=["name", "age"],
        additionalProperties=False,
    ),
}


def exact(schema: object) -> object:
    """With numbers as they are written: 0.07 is a multiple of 0.01."""
    return json.loads(json.dumps(schema), parse_float=Decimal)


def check(schema: Schema, texts: Sequence[str]) -> None:
    validator: Any = jsonschema.Draft202012Validator(
        cast("Any", exact(schema)), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    for text in texts:
        validator.validate(json.loads(text, parse_float=Decimal))


@pytest.fixture(scope="module")
def sampled() -> dict[str, Sampled]:
    return dict(zip(HELD, sample(list(HELD.values())), strict=True))


@pytest.mark.parametrize("name", HELD)
def test_every_text_of_the_grammar_satisfies_the_schema(
    sampled: dict[str, Sampled], name: str
) -> None:
    found = sampled[name]
    assert (found.error, found.unheld) == ("", [])
    assert len(found.texts) >= 5
    check(HELD[name], found.texts)


def reaches(schema: Schema, wanted: set[str], n: int = 300) -> None:
    (found,) = sample([schema], n)
    assert {re.sub(r"\s", "", text) for text in found.texts} == wanted


def test_nothing_that_satisfies_it_is_left_out() -> None:
    reaches({"type": "integer", "minimum": -2, "maximum": 11}, {str(n) for n in range(-2, 12)})
    reaches(
        {"type": "integer", "multipleOf": 5, "minimum": 1, "maximum": 25},
        {"5", "10", "15", "20", "25"},
    )
    reaches(string(pattern="^(a|c){2}$"), {'"aa"', '"ac"', '"ca"', '"cc"'})
    reaches(
        {"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": True},
        {"[]", "[1]", "[2]", "[1,2]", "[2,1]"},
    )
    reaches(
        thing(
            {"a": {"const": 1}, "b": {"const": 2}}, oneOf=[{"required": ["a"]}, {"required": ["b"]}]
        ),
        {'{"a":1}', '{"b":2}'},
    )


UNHELD: dict[str, tuple[Schema, str]] = {
    "words' edges": (
        thing({"a": string(pattern=r"\bx")}),
        r"#/properties/a: pattern: .*edge of a word",
    ),
    "back reference": (string(pattern=r"^(a)\1$"), "#: pattern: it refers back"),
    "look behind": (string(pattern="(?<=a)b"), "#: pattern: it looks around"),
    "unique texts": ({"type": "array", "items": WORD, "uniqueItems": True}, "#: uniqueItems: "),
    "large multiples": ({"type": "integer", "multipleOf": 1234567}, "#: multipleOf: "),
    "overlapping": (
        {"oneOf": [thing(patternProperties={"a": SMALL}), thing(patternProperties={"b": SMALL})]},
        "#: oneOf: ",
    ),
    "unevaluated": (
        {"allOf": [thing({"a": SMALL})], "unevaluatedProperties": False},
        "#: unevaluatedProperties: ",
    ),
    "not a shape": ({"not": {"patternProperties": {"a": SMALL}}}, "#/not: not: "),
    "in a list": (
        {"anyOf": [SMALL, {"items": string(pattern=r"\Bx")}]},
        "#/anyOf/1/items: pattern: ",
    ),
}


@pytest.mark.parametrize("name", UNHELD)
def test_what_is_not_held_is_named_with_its_place(name: str) -> None:
    schema, why = UNHELD[name]
    unheld = read_schema(json.dumps(schema)).unheld
    assert len(unheld) == 1
    assert re.match(why, unheld[0]), unheld


IMPOSSIBLE: dict[str, tuple[Schema, str]] = {
    "no type": ({"type": "wrong"}, 'at #: there is no type "wrong"'),
    "no schema": ({"items": 3}, "at #/items: a schema must be an object, true or false"),
    "nowhere": (
        thing({"a": {"$ref": "#/$defs/b"}}),
        r"at #/properties/a: \$ref #/\$defs/b names nothing",
    ),
    "elsewhere": ({"$ref": "https://example.com/x"}, "at #: .*nothing outside"),
    "empty range": (
        {"type": "integer", "minimum": 5, "exclusiveMaximum": 5},
        "at #: nothing satisfies",
    ),
    "false": (False, "at #: nothing satisfies"),
    "a contradiction": ({"type": "string", "const": 1}, "at #: nothing satisfies"),
    "one that never ends": (thing({"a": {"$ref": "#"}}, required=["a"]), "at #: nothing satisfies"),
    "a member that cannot be": (thing({"a": False}, required=["a"]), "at #: nothing satisfies"),
    "no pattern": (string(pattern="^(a$"), "at #: the pattern .* is none"),
    "a negative count": (string(minLength=-1), "at #: minLength must be"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_is_impossible_is_an_error_with_its_place(name: str) -> None:
    schema, why = IMPOSSIBLE[name]
    with pytest.raises(InvalidRequest, match=f"^json_schema: {why}"):
        read_schema(json.dumps(schema))
