"""Where `--save` and `--db` put results."""

from __future__ import annotations

import argparse

from jan_bench.circumstances import Circumstances
from jan_bench.output import require_place
from jan_bench.store import add_results

__all__ = ["require_places"]


def require_places(asked: argparse.Namespace, under: Circumstances) -> None:
    """Before anything is measured. Raises WriteFailed, or InvalidRequest: it is no database."""
    if asked.save is not None:
        require_place(asked.save)
    if asked.db is not None:
        add_results(asked.db, under, [])
