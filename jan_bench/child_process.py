"""Processes that end with us, however we do."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import IO

__all__ = ["end_child", "start_child"]

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PATIENCE_S = 15.0


def start_child(
    command: Sequence[str], *, stderr: IO[str] | int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """In a group of its own: Ctrl-C at the terminal is for us, and we say when it ends. Killed we
    can say nothing; then the system does, where it is Linux.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        text=True,
        start_new_session=True,
        preexec_fn=_dies_with_parent(),
    )


def end_child(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _dies_with_parent() -> Callable[[], object] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up here: after the fork only the call is safe
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
