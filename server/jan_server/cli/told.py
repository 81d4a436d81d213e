"""Facts about models as people and programs are told them. Imports nothing that takes time."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from jan_server.library.records import StoredModel

__all__ = ["model_facts", "print_json", "print_table", "size_text"]


def print_json(value: Any) -> None:  # noqa: ANN401 - JSON
    json.dump(value, sys.stdout, indent=2)
    print()


def model_facts(model: StoredModel, models: Path) -> dict[str, Any]:
    """As --json tells it."""
    facts: dict[str, Any] = msgspec.to_builtins(model)
    is_here = model.is_here(models)
    facts["source"] = model.shown_source
    return {**facts, "n_bytes": model.n_bytes, "sha256": model.sha256, "is_here": is_here}


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        print(line.rstrip())


def size_text(n_bytes: float) -> str:
    for unit in ("B", "kB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} MB" if n_bytes < 1000 else f"{n_bytes / 1000:.1f} GB"
