"""The machine that something was measured on."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import msgspec

__all__ = ["Machine", "this_machine"]

_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_GPU_DRIVER = Path("/proc/driver/nvidia/version")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    processor: str
    cores: int
    cores_allowed: int  # to this process
    governor: str = ""  # who decides how fast the cores run; "" where the system does not say
    memory_bytes: int = 0
    gpu_driver: str = ""
    platform: str
    load: float = 0.0  # processes that wanted a core during the last minute


def this_machine() -> Machine:
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 0,
        cores_allowed=len(os.sched_getaffinity(0)) if sys.platform == "linux" else 0,
        governor=_first_line(_GOVERNOR),
        memory_bytes=_memory_bytes(),
        gpu_driver=_first_line(_GPU_DRIVER),
        platform=platform.platform(),
        load=round(os.getloadavg()[0], 2) if sys.platform != "win32" else 0.0,
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except OSError:
        pass  # another system
    return platform.processor() or platform.machine()


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _first_line(path: Path) -> str:
    try:
        return path.read_text().partition("\n")[0].strip()
    except OSError:
        return ""
