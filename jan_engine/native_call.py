"""Runs a long native call so that it reports progress and obeys Ctrl-C.

The call runs on a thread of its own without the GIL; the caller's thread watches. Native code
never calls back into Python: it writes a fraction and reads a flag, both atomic.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

from jan_engine import _core

__all__ = ["OnProgress", "watched"]

T = TypeVar("T")
OnProgress = Callable[[float], object]

_POLL_S = 0.02


def watched(call: Callable[[_core.Progress], T], on_progress: OnProgress | None, name: str) -> T:
    """The call's result or exception. `on_progress` gets fractions from 0 to 1 on this thread.

    If it raises, or the waiting is interrupted, the native call is cancelled and has ended by
    the time the exception leaves here.
    """
    progress = _core.Progress()
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call(progress))
        except BaseException as error:  # handed to the caller's thread below
            failures.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    last = -1.0
    try:
        thread.start()
        running = True
        while running:
            thread.join(_POLL_S)
            running = thread.is_alive()  # before the fraction is read, so that 1.0 is not missed
            fraction = progress.fraction
            if on_progress is not None and fraction != last:
                on_progress(fraction)
                last = fraction
    except BaseException:
        progress.cancel()
        while thread.is_alive():
            with contextlib.suppress(KeyboardInterrupt):  # impatience does not make it safe
                thread.join()
        raise
    if failures:
        raise failures[0]
    return results[0]
