"""A JSON schema as a grammar of the texts that satisfy it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from jan_engine import _core
from jan_engine.errors import InvalidRequest

__all__ = ["gbnf_from_schema"]


def gbnf_from_schema(schema: Mapping[str, object] | str | bytes) -> str:
    """Text is JSON. Raises InvalidRequest for what no grammar can say, and for what is too large.

    A pattern that no grammar can say becomes any string, with a warning in the log.
    """
    if isinstance(schema, str):
        schema = schema.encode()
    if not isinstance(schema, bytes):
        try:
            schema = msgspec.json.encode(schema)
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidRequest(f"json_schema: {error}") from None
    return _core.schema_grammar(schema)
