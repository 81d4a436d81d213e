"""A JSON schema as a grammar of the texts that satisfy it."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import msgspec

from jan_engine import _core
from jan_engine.errors import InvalidRequest

__all__ = ["SchemaGrammar", "gbnf_from_schema", "read_schema"]

_log = logging.getLogger(__name__)


class SchemaGrammar(msgspec.Struct, frozen=True):
    """GBNF, and what of the schema it does not hold."""

    text: str
    # "#/properties/a: pattern: it looks around": the place, the keyword and why.
    unheld: tuple[str, ...] = ()


def read_schema(schema: Mapping[str, object] | str | bytes) -> SchemaGrammar:
    """Text is JSON. Raises InvalidRequest for what is no schema, what nothing satisfies, and for
    what is too large.

    What a grammar cannot hold is left out of it, so that it allows more than the schema does.
    """
    if isinstance(schema, str):
        schema = schema.encode()
    if not isinstance(schema, bytes):
        try:
            schema = msgspec.json.encode(schema)
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidRequest(f"json_schema: {error}") from None
    text, unheld = _core.schema_grammar(schema)
    return SchemaGrammar(text, tuple(unheld))


def gbnf_from_schema(schema: Mapping[str, object] | str | bytes) -> str:
    """As read_schema, with a warning in the log for what it does not hold."""
    read = read_schema(schema)
    for unheld in read.unheld:
        _log.warning("the grammar of a JSON schema does not hold %s", unheld)
    return read.text
