"""How much of the cores others had while something was measured: what makes a figure say less."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["QUIET", "OthersWatch", "run_watched"]

QUIET = 0.03  # of all cores: what the system itself takes, and little else


class OthersWatch:
    """From its making on. Own are this process and its children that have ended when it is asked;
    others are all other processes, and the machines that a hypervisor runs on our cores.
    """

    def __init__(self) -> None:
        self.began_s = time.monotonic()
        self.began_others_s = _others_s()

    def share(self) -> float | None:
        """Of all cores. None where the system does not tell: Linux does."""
        others_s = _others_s()
        if others_s is None or self.began_others_s is None:
            return None
        took_s = (time.monotonic() - self.began_s) * (os.cpu_count() or 1)
        return max(0.0, others_s - self.began_others_s) / took_s


def run_watched(command: Sequence[str]) -> tuple[str, float]:
    """What it printed, and the share that others had meanwhile."""
    watch = OthersWatch()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout, watch.share() or 0.0


def _others_s() -> float | None:
    if sys.platform != "linux":
        return None
    name, *ticks = Path("/proc/stat").read_text().partition("\n")[0].split()
    if name != "cpu":
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, ticks[:8])
    busy_s = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return busy_s - sum(os.times()[:4])
