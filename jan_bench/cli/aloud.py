"""What somebody who waits for a measurement is told on stderr."""

from __future__ import annotations

import sys

from jan_bench.circumstances import Circumstances

__all__ = ["say", "say_if_busy"]

_BUSY_SHARE = 0.25  # of the cores, wanted by others


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def say_if_busy(under: Circumstances) -> None:
    if under.machine.load > _BUSY_SHARE * under.machine.cores_allowed:
        say(
            f"note: others wanted {under.machine.load:.1f} of {under.machine.cores_allowed} cores "
            "during the last minute; figures may be low"
        )
