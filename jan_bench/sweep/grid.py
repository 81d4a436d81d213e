"""Combinations of what a server may be told."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["Grid", "Setting"]

_FLAGS = {
    "cache_type": "--cache-type",
    "slots": "--parallel",
    "ubatch": "--ubatch-size",
    "threads": "--threads",
}
_SHORT = {"cache_type": "kv", "slots": "np", "ubatch": "ub", "threads": "t"}


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One of them. None: as the server has it by default."""

    model: Path
    cache_type: str | None = None
    slots: int | None = None
    ubatch: int | None = None
    threads: int | None = None
    speculation: bool | None = None

    def flags(self) -> list[str]:
        """Of `jan serve`."""
        given: list[str] = []
        for name, flag in _FLAGS.items():
            if (value := getattr(self, name)) is not None:
                given += [flag, str(value)]
        if self.speculation is not None:
            given.append("--speculation" if self.speculation else "--no-speculation")
        return given

    @property
    def name(self) -> str:
        """Of its files: the same for the same setting, whatever else is in the grid."""
        parts = [re.sub(r"[^\w.-]+", "_", self.model.name.removesuffix(".gguf"))]
        for name, short in _SHORT.items():
            if (value := getattr(self, name)) is not None:
                parts.append(f"{short}{value}")
        if self.speculation is not None:
            parts.append("spec" if self.speculation else "nospec")
        return "-".join(parts)

    def told(self) -> dict[str, Any]:
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in msgspec.structs.asdict(self).items()
        }


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """Each axis has at least one value."""

    models: Sequence[Path]
    cache_types: Sequence[str | None] = (None,)
    slots: Sequence[int | None] = (None,)
    ubatches: Sequence[int | None] = (None,)
    threads: Sequence[int | None] = (None,)
    speculations: Sequence[bool | None] = (None,)

    def settings(self) -> Iterator[Setting]:
        axes = (
            *(self.models, self.cache_types, self.slots),
            *(self.ubatches, self.threads, self.speculations),
        )
        for model, cache_type, slots, ubatch, threads, speculation in itertools.product(*axes):
            yield Setting(
                model=model,
                cache_type=cache_type,
                slots=slots,
                ubatch=ubatch,
                threads=threads,
                speculation=speculation,
            )
