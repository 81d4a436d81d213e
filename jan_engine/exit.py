"""Engines that nobody closed end before the process does.

Their threads compute in native code, which must not outlive what it computes with.
"""

from __future__ import annotations

import atexit
import weakref
from typing import Protocol

from jan_engine import _core

__all__ = ["close_at_exit"]


class _Engine(Protocol):
    core: _core.Engine


_open: weakref.WeakSet[_Engine] = weakref.WeakSet()


def close_at_exit(engine: _Engine) -> None:
    _open.add(engine)


@atexit.register
def _close_all() -> None:
    for engine in list(_open):
        engine.core.close(False)
    for engine in list(_open):
        while engine.core.take(0.2) is not None:  # until it has told everything, and so ended
            pass
