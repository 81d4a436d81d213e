"""What a request's text has to be."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from jan_engine import _core
from jan_engine.errors import InvalidRequest
from jan_engine.json_schema import read_schema
from jan_engine.native_int import token_ids

__all__ = [
    "Choices",
    "CompiledConstraint",
    "Constraint",
    "Grammar",
    "JsonSchema",
    "Regex",
    "Triggers",
    "compile_constraint",
    "read_triggers",
]


class Grammar(msgspec.Struct, frozen=True, tag=True):
    """A grammar in GBNF, as llama.cpp reads it."""

    text: str
    root: str = "root"


class JsonSchema(msgspec.Struct, frozen=True, tag=True):
    """JSON that a schema describes. `{}` is any JSON, `{"type": "object"}` any object."""

    schema: dict[str, Any] | str  # a text is read as JSON
    strict: bool = False  # what no grammar can hold is an error, and not left out


class Regex(msgspec.Struct, frozen=True, tag=True):
    """A text that matches from its beginning to its end."""

    pattern: str


class Choices(msgspec.Struct, frozen=True, tag=True):
    """One of these texts."""

    texts: tuple[str, ...]


_log = logging.getLogger(__name__)

Constraint = Grammar | JsonSchema | Regex | Choices


class CompiledConstraint(msgspec.Struct, frozen=True):
    """A constraint as one engine's requests take it: see AsyncEngine.compile."""

    core: _core.CompiledGrammar
    unheld: tuple[str, ...] = ()  # of a schema: see SchemaGrammar


class Triggers(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a constraint begin where text was free until then. It covers the trigger too."""

    words: tuple[str, ...] = ()
    tokens: tuple[int, ...] = ()
    # ECMAScript regular expressions. It begins where the first group does, or else with the match.
    patterns: tuple[str, ...] = ()


def compile_constraint(core: _core.Engine, given: Constraint) -> CompiledConstraint:
    """Milliseconds, and up to a second for what the limits just allow; what is known takes none."""
    match given:
        case Grammar(text, root):
            made = core.compile_gbnf(_bytes(text), _bytes(root))
        case JsonSchema(schema, strict):
            read = read_schema(schema)
            if strict and read.unheld:
                raise InvalidRequest(f"json_schema: strict, and no grammar holds {read.unheld[0]}")
            for unheld in read.unheld:
                _log.warning("a grammar does not hold all of a JSON schema: %s", unheld)
            return CompiledConstraint(core.compile_gbnf(_bytes(read.text), b"root"), read.unheld)
        case Regex(pattern):
            made = core.compile_regex(_bytes(pattern))
        case Choices(texts):
            made = core.compile_choices([_bytes(text) for text in texts])
    return CompiledConstraint(made)


def read_triggers(given: Triggers) -> tuple[list[int], list[bytes], list[bytes]]:
    return (
        token_ids("triggers", list(given.tokens)),
        [_bytes(word) for word in given.words],
        [_bytes(pattern) for pattern in given.patterns],
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
