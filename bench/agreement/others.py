"""How much of the cores others took while a program ran: what makes a comparison say less."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import run

__all__ = ["QUIET", "run_watched"]

QUIET = 0.03  # of all cores: what the system itself takes, and little else


def run_watched(command: Sequence[str]) -> tuple[str, float]:
    """What it printed, and the share of all cores that neither it nor nobody had: other processes,
    and other machines that the hypervisor ran on ours. Linux tells.
    """
    busy_s, own_s, began_s = _busy_s(), _children_s(), time.monotonic()
    done = run(command, capture_output=True, text=True, check=True)
    took_s = time.monotonic() - began_s
    others_s = _busy_s() - busy_s - (_children_s() - own_s)
    return done.stdout, max(0.0, others_s) / (took_s * (os.cpu_count() or 1))


def _busy_s() -> float:
    """All cores' time but what they idled, or waited for a disk."""
    name, *ticks = Path("/proc/stat").read_text().partition("\n")[0].split()
    assert name == "cpu"
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, ticks[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
