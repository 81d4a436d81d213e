"""The figures of a scenario as they come in."""

from __future__ import annotations

import itertools
import statistics
import time
from pathlib import Path

import msgspec

__all__ = ["SEEDS", "Row", "Rows", "Setup"]

SEEDS = itertools.count(time.time_ns() % 2**32)  # llama-server keeps old prompts cached


class Setup(msgspec.Struct, frozen=True):
    model: Path
    rounds: int
    n_threads: int


class Row(msgspec.Struct):
    """One figure of one contestant: every round's value, in the unit that `what` names."""

    scenario: str
    what: str
    who: str
    values: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)


class Rows:
    """The figures of one scenario as they come in, round by round."""

    def __init__(self, scenario: str) -> None:
        self.scenario = scenario
        self.found: dict[tuple[str, str], Row] = {}

    def note(self, who: str, what: str, value: float) -> None:
        row = self.found.setdefault((who, what), Row(self.scenario, what, who, []))
        row.values.append(value)
