"""A schema becomes a grammar, or a typed error; never a crash, and never for long."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jan_engine import InvalidRequest, gbnf_from_schema
from tests.conftest import ROOT

UPSTREAM = ROOT / "vendor/llama.cpp/tree/tests/test-json-schema-to-grammar.cpp"
CASE = re.compile(
    r'test\(\{\s*(SUCCESS|FAILURE),\s*"((?:[^"\\]|\\.)*)",\s*'
    r'R"""\((.*?)\)""",\s*(?:R"""\((.*?)\)"""|"((?:[^"\\]|\\.)*)")',
    re.DOTALL,
)
Schema = dict[str, object]


def golden() -> list[tuple[str, str, str, str]]:
    found = CASE.findall(UPSTREAM.read_text())
    return [(status, name, schema, raw) for status, name, schema, raw, _ in found]


def test_upstream_has_the_cases_we_read() -> None:
    assert len(golden()) == 80


@pytest.mark.parametrize(
    ("status", "schema"),
    [(status, schema) for status, _, schema, _ in golden()],
    ids=[name[:40] for _, name, _, _ in golden()],
)
def test_upstreams_own_cases_are_read(status: str, schema: str) -> None:
    if status == "FAILURE":
        with pytest.raises(InvalidRequest, match=r"^json_schema: at #"):
            gbnf_from_schema(schema)
        return
    assert gbnf_from_schema(schema).startswith("root ::= ")


def nested(levels: int) -> str:
    return '{"type":"array","items":' * levels + "{}" + "}" * levels


def chain(n: int, *, through: str = "properties") -> Schema:
    """n definitions, each naming the next."""
    link: dict[int, object] = {n: {"type": "null"}}
    for i in range(n):
        next_one = {"$ref": f"#/$defs/d{i + 1}"}
        link[i] = (
            {"type": "object", "properties": {"x": next_one}}
            if through == "properties"
            else next_one
        )
    return {"$defs": {f"d{i}": one for i, one in link.items()}, "$ref": "#/$defs/d0"}


def doubling(levels: int) -> Schema:
    """Each definition takes the properties of the next one twice over."""
    definitions: dict[str, object] = {f"d{levels}": {"properties": {"x": {"type": "null"}}}}
    for i in range(levels):
        both = {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2}
        definitions[f"d{i}"] = {"properties": {"x": both, "y": both}}
    return {"$defs": definitions, "allOf": [{"$ref": "#/$defs/d0"}]}


def typed_both_ways(levels: int) -> Schema:
    schema: Schema = {"type": "null"}
    for _ in range(levels):
        schema = {"type": ["object", "array"], "properties": {"x": schema}, "items": schema}
    return schema


ITSELF = {"type": "object", "properties": {"child": {"allOf": [{"$ref": "#/$defs/node"}]}}}


def choices(levels: int) -> Schema:
    schema: Schema = {"type": "null"}
    for i in range(levels):
        schema = {"allOf": [{"anyOf": [{"minimum": i}, {"maximum": -i}]}, schema]}
    return schema


HOSTILE: dict[str, tuple[Schema | str, str]] = {
    "brackets": ("[" * 30_000, "levels deep"),
    "brackets in items": (nested(30_000), "levels deep|longer than"),
    "not json": ("{", "not JSON"),
    "two values": ("{} {}", "not JSON"),
    "no text": ("", "not JSON"),
    "half a surrogate": ('{"const": "\\ud800"}', "not JSON"),
    "broken UTF-8": ('{"const": "\udc80"}', "UTF-8|not JSON"),
    "number that is none": ('{"minimum": 1-2, "type": "integer"}', "not JSON"),
    "one key twice": ('{"type": "string", "type": "null"}', "twice"),
    "long text": ({"const": "x" * 300_000}, "longer than 262144 bytes"),
    "many values": ({"enum": list(range(60_000))}, "more than|longer than"),
    "no object": ("3", "object"),
    "remote": ({"$ref": "https://example.com/schema.json"}, "nothing outside"),
    "file": ({"$ref": "file:///etc/passwd"}, "nothing outside"),
    "names nothing": ({"$ref": "#/$defs/none"}, "names nothing"),
    "index with a sign": ({"anyOf": [{"$ref": "#/anyOf/+1"}, {}]}, "names nothing"),
    "choices of choices": (choices(30), "choices multiply"),
    "unbalanced pattern": ({"pattern": "^(a$"}, "pattern .* is none"),
    "negative count": ({"type": "string", "minLength": -1}, "minLength must be"),
    "empty range": ({"type": "integer", "minimum": 5, "exclusiveMaximum": 5}, "nothing satisfies"),
}


@pytest.mark.parametrize("case", sorted(HOSTILE))
def test_what_would_hurt_is_an_error(case: str) -> None:
    schema, why = HOSTILE[case]
    text = schema if isinstance(schema, str) else json.dumps(schema)
    with pytest.raises(InvalidRequest, match=rf"^json_schema: .*({why})"):
        gbnf_from_schema(text.encode("utf-8", "surrogateescape"))


LARGE: dict[str, Schema] = {
    "optional": {"properties": {f"property_number_{i}": {"type": "string"} for i in range(1900)}},
    "objects of optional properties": {
        "anyOf": [
            {"properties": {f"{chr(0x4E00 + i)}": {"const": k} for i in range(200)}}
            for k in range(15)
        ]
    },
    "required": {
        "required": [f"p{i}" for i in range(1900)],
        "properties": {f"p{i}": {"type": "string"} for i in range(1900)},
    },
    "enum": {"enum": [f"word {i}" for i in range(15_000)]},
    "definitions": chain(400),
    "references": chain(400, through="ref"),
    "whole document": {"$ref": "#"},
    "itself through allOf": {"$defs": {"node": ITSELF}, "$ref": "#/$defs/node"},
    "doubling by allOf": doubling(40),
    "doubling by type": typed_both_ways(10),
    "ring below allOf": {
        "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
        "allOf": [{"$ref": "#/$defs/a"}],
    },
    "patterns": {
        "required": [f"p{i}" for i in range(200)],
        "properties": {f"p{i}": {"pattern": f"^[a-z]{{1,{i + 1}}}$"} for i in range(200)},
    },
    "long pattern": {"pattern": "^" + "(a+)+" * 1000 + "$"},
    "nested repetitions": {"pattern": "^" + "(" * 90 + "a" + "+)" * 90 + "b$"},
    "counted repetitions": {"pattern": "^(((a{1,99}){1,99}){1,99}){1,99}$"},
    "many states": {"pattern": "(a|b)*a(a|b){30}"},
    "long name": {"properties": {"!" * 30_000: {"type": "string"}}},
    "long strings": {"type": "string", "maxLength": 10**9},
    "long arrays": {"type": "array", "items": {"const": 1}, "minItems": 10**12},
    "wide bound": {"type": "integer", "maximum": 1e300},
    "multiples": {"type": "number", "multipleOf": 0.001, "minimum": -1e15, "maximum": 1e15},
    "contained": {
        "type": "array",
        "contains": {"const": 1},
        "minContains": 900,
        "maxItems": 1000,
    },
}


@pytest.mark.unsanitized  # which takes its time
@pytest.mark.parametrize("case", sorted(LARGE))
def test_the_largest_that_is_accepted_takes_less_than_a_second(case: str) -> None:
    begun = time.process_time()
    grammar = gbnf_from_schema(LARGE[case])
    assert "root ::=" in grammar
    assert time.process_time() - begun < 1.5


def test_what_is_left_out_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    gbnf_from_schema({"pattern": r"^\bx$"})
    assert "#: pattern: it asks for the edge of a word" in caplog.text


names = st.text(max_size=6)
leaves = st.one_of(
    st.just({}),
    st.sampled_from(["null", "boolean", "number", "integer", "string", "array", "object", "x"]).map(
        lambda name: {"type": name}
    ),
    st.lists(st.one_of(st.none(), st.booleans(), st.integers(), names), max_size=4).map(
        lambda values: {"enum": values}
    ),
    names.map(lambda text: {"type": "string", "pattern": f"^{text}$"}),
    st.text(alphabet="ab()[]{}|*+?,.^$\\d12-", max_size=12).map(lambda t: {"pattern": f"^{t}$"}),
    st.fixed_dictionaries(
        {"type": st.just("integer")},
        optional=dict.fromkeys(
            ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
            st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
        ),
    ),
    st.sampled_from(["#/properties/a", "#/anyOf/0", "#/items", "#/", "#", "#/allOf/1", "x"]).map(
        lambda ref: {"$ref": ref}
    ),
)


def grown(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    keys = st.one_of(st.sampled_from(["a", "b", "$ref", "type"]), names)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", ["object", "array", "null"], "string", 3]),
            "properties": st.dictionaries(keys, inner, max_size=4),
            "required": st.lists(keys, max_size=3),
            "additionalProperties": st.one_of(st.booleans(), inner),
            "items": st.one_of(inner, st.lists(inner, max_size=3)),
            "anyOf": st.lists(inner, max_size=3),
            "allOf": st.lists(inner, max_size=3),
            "minItems": st.integers(-1, 10),
            "maxItems": st.integers(-1, 10),
        },
    )


def grammar_or_none(text: str | bytes) -> str | None:
    try:
        return gbnf_from_schema(text)
    except InvalidRequest as error:
        if not str(error).startswith("json_schema: "):
            raise
        return None


@settings(max_examples=400, deadline=2000)
@given(st.recursive(leaves, grown, max_leaves=12))
def test_any_schema_is_a_grammar_or_a_typed_error(schema: object) -> None:
    grammar = grammar_or_none(json.dumps(schema))
    assert grammar is None or re.search(r"^root ::=", grammar, re.MULTILINE)


@settings(max_examples=300, deadline=2000)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_grammar_or_a_typed_error(text: bytes) -> None:
    grammar_or_none(text)
