"""docs/api-compatibility.md against the fields that the server reads."""

from __future__ import annotations

import re

import msgspec
from jan_server.compatibility import routes_with_tables, with_tables

from tests.conftest import ROOT

PAGE = ROOT / "docs/api-compatibility.md"
SECTIONS = {  # of the page, for each path
    "completions": ("Of every generation", "Of text completions"),
    "chat/completions": ("Of every generation", "Of chats"),
    "/completion": ("Of every generation", "Of text completions"),
    "/infill": ("Of every generation", "Of text completions", "Of gaps"),
    "/apply-template": ("Of every generation", "Of chats"),
    "chat/completions/input_tokens": ("Of every generation", "Of chats"),
    "/embedding": ("Of embeddings in llama-server's shape",),
    "messages": ("Of messages, as Anthropic's clients send them",),
    "messages/count_tokens": ("Of messages, as Anthropic's clients send them",),
    "embeddings": ("Of embeddings",),
    "rerank": ("Of reranking",),
}


def described(section: str) -> set[str]:
    _, _, rest = PAGE.read_text().partition(f"### {section}\n")
    rows = re.findall(r"^\| (`[^|]*) \|", rest.split("\n#")[0], re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_every_field_that_is_read_is_described() -> None:
    for path, facts in routes_with_tables():
        assert facts.reads is not None
        known = {field.encode_name for field in msgspec.structs.fields(facts.reads)}
        told = {name for section in SECTIONS[path] for name in described(section)}
        assert known <= told, path
        if path != "messages/count_tokens":
            assert told <= known, path


def test_the_tables_of_foreign_fields_are_those_in_force() -> None:
    page = PAGE.read_text()
    remedy = "python -m jan_server.compatibility docs/api-compatibility.md"
    assert page == with_tables(page), remedy


def test_every_body_of_the_generating_routes_is_read_strictly() -> None:
    for path, facts in routes_with_tables():
        assert facts.reads is not None
        assert facts.reads.__struct_config__.forbid_unknown_fields, path
