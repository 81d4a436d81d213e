"""The part of docs/api-compatibility.md that is made from the tables of foreign fields.

python -m jan_server.compatibility docs/api-compatibility.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from jan_server.app import HANDLERS
from jan_server.foreign import Foreign, Harmless, Refused
from jan_server.requests import RouteFacts

__all__ = ["BEGIN", "END", "foreign_tables", "routes_with_tables", "with_tables"]

BEGIN = "<!-- made by `python -m jan_server.compatibility` -->\n"
END = "<!-- made until here -->\n"


def routes_with_tables() -> Iterator[tuple[str, RouteFacts]]:
    """Routes whose bodies other servers know, without the version before their paths."""
    for handler in HANDLERS:
        described: Mapping[str, Any] = handler.opt or {}
        facts: RouteFacts | None = described.get("facts")
        if facts is not None and facts.foreign:
            yield min(handler.paths).removeprefix("/v1/"), facts


def foreign_tables() -> str:
    rows: dict[tuple[str, str], tuple[str, Foreign, list[str]]] = {}
    for path, facts in routes_with_tables():
        assert facts.reads is not None
        known = {field.encode_name for field in msgspec.structs.fields(facts.reads)}
        for name, settled in facts.foreign.items():
            if name not in known:
                row = rows.setdefault((name, repr(settled)), (name, settled, []))
                row[2].append(path)
    ordered = [rows[key] for key in sorted(rows)]
    ignored = [
        (f"`{name}`", ", ".join(paths), settled.why)
        for name, settled, paths in ordered
        if isinstance(settled, Harmless)
    ]
    refused = [
        (f"`{name}`", ", ".join(paths), settled.why, _values(settled))
        for name, settled, paths in ordered
        if isinstance(settled, Refused)
    ]
    return "\n".join(
        [
            "### Named in `X-Jan-Ignored`\n",
            _table(("field", "of", "because"), ignored),
            "### Refused with 400\n",
            _table(("field", "of", "because", "unless it is null or"), refused),
        ]
    )


def with_tables(page: str) -> str:
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + foreign_tables() + END + after


def _values(settled: Refused) -> str:
    return ", ".join(f"`{msgspec.json.encode(value).decode()}`" for value in settled.unless)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(with_tables(page.read_text()))
