"""Which CPU variants end a process that computes with them, found out in a process that may end.

A variant can be right for a processor by every flag and still trap in its first pass: compilers
have bugs, and virtual machines promise instructions that they do not carry out. So before a
combination of build and processor computes for the first time, a child process runs a tiny model
with the best variant. If a signal ends the child, the next variant is tried, and so on. What was
found is kept in the cache folder; without one, each start tries again (about half a second).
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from jan_engine import _core
from jan_engine.machine_memory import MachineMemory
from jan_engine.trial_model import write_trial_model

__all__ = ["FOUND", "Found", "crashed_variants"]

_LOGGER = logging.getLogger("jan_engine.backend")
_TIMEOUT_S = 60.0  # a child that takes longer has found out nothing
_TRAPS = {
    getattr(signal, name)
    for name in ("SIGILL", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGTRAP", "SIGSYS")
    if hasattr(signal, name)
}
_WINDOWS_TRAPS = {
    0xC000001D: "an illegal instruction",
    0xC0000005: "an access violation",
    0xC0000096: "a privileged instruction",
}


class Found(msgspec.Struct, frozen=True):
    """What children found out about the variants of one folder on one processor."""

    passed: str  # the variant that computed; empty: none did
    crashed: dict[str, str]  # variants that did not, and what ended their child


FOUND = MachineMemory("cpu-variants.json", Found)


def crashed_variants(folder: Path) -> list[tuple[bytes, bytes]]:
    """Variants that must not be opened, with the reason. Says so once in a line of the log."""
    key = _key(folder)
    found = FOUND.recall(key)
    if found is None:
        found, is_whole = _try_variants(folder)
        if is_whole:
            FOUND.remember(key, found)
    for name, how in found.crashed.items():
        instead = f"{found.passed} computes instead" if found.passed else "no other one can run"
        _LOGGER.warning(
            "the CPU variant %s ended with %s when it was tried on this processor; %s",
            name,
            how,
            instead,
        )
    return [
        (os.fsencode(name), f"ended with {how} when it was tried on this processor".encode())
        for name, how in found.crashed.items()
    ]


def _try_variants(folder: Path) -> tuple[Found, bool]:
    """The second is False where something else than the variants was in the way."""
    crashed: dict[str, str] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="jan-trial-") as scratch:
            model = Path(scratch) / "trial.gguf"
            write_trial_model(model)
            for name in _core.rate_cpu_variants_in(os.fsencode(folder)):
                how = _ends_with(folder, name, model)
                if how is None:
                    return Found(name, crashed), True
                crashed[name] = how
    except (OSError, subprocess.SubprocessError) as error:
        _LOGGER.debug("the CPU variants were not tried: %s", error)
        return Found("", crashed), False
    return Found("", crashed), True


def _ends_with(folder: Path, name: str, model: Path) -> str | None:
    """The trap that ended a child which computed with this variant; None where nothing did.

    Raises SubprocessError where a child ended for a reason of its own.
    """
    done = subprocess.run(
        # -P: a jan_engine in the working directory is nobody's business.
        [sys.executable, "-P", "-m", "jan_engine.trial", str(folder), name, str(model)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode == 0:
        return None
    if done.returncode < 0 and -done.returncode in _TRAPS:
        return signal.Signals(-done.returncode).name
    if done.returncode in _WINDOWS_TRAPS:
        return _WINDOWS_TRAPS[done.returncode]
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    raise subprocess.SubprocessError(f"exit {done.returncode}: {said[-1] if said else ''}")


def _key(folder: Path) -> str:
    """Of the libraries, by their dates and sizes, and of the processor."""
    digest = hashlib.sha256(_processor().encode())
    for library in sorted([*folder.glob("*ggml-cpu*"), *(folder.parent / "lib").glob("*ggml*")]):
        facts = library.stat()
        digest.update(f"{library.name} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _processor() -> str:
    """The kind of the first one, with its instructions."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            lines = file.read(8192).split("\n\n", 1)[0].splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    same = ("vendor_id", "cpu family", "model", "stepping", "microcode", "flags")
    return "\n".join(line for line in lines if line.startswith(same))
