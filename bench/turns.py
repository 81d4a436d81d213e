"""Turns of a long measurement, kept as they are taken, so that one that is cut off goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

__all__ = ["taken"]

Turn = TypeVar("Turn", bound=msgspec.Struct)


def taken(
    kind: type[Turn], n_wanted: int, keep: Path | None, take: Callable[[int], Turn]
) -> list[Turn]:
    """Those that the file has, and as many more, each told and added to it. `take` is given how
    many there were before.
    """
    turns: list[Turn] = []
    if keep is not None and keep.exists():
        turns = list(msgspec.json.Decoder(kind).decode_lines(keep.read_bytes()))
    while len(turns) < n_wanted:
        turns.append(take(len(turns)))
        print(turns[-1], file=sys.stderr, flush=True)
        if keep is not None:
            with keep.open("ab") as file:
                file.write(msgspec.json.encode(turns[-1]) + b"\n")
    return turns
