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


def watched(
    call: Callable[[_core.Progress], T],
    on_progress: OnProgress | None,
    name: str,
    every_s: float = _POLL_S,
) -> T:
    """The call's result or exception. `on_progress` gets fractions from 0 to 1 on this thread.
    `every_s` is how often this thread looks: seldom, where the call is timed.

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
        finally:
            done.set()

    # Not Thread.join(): interrupted, it takes the thread for ended in CPython before 3.13.
    done = threading.Event()
    thread = threading.Thread(target=run, name=name, daemon=True)
    last = -1.0
    try:
        thread.start()
        running = True
        while running:
            running = not done.wait(every_s)  # before the fraction is read: 1.0 is not missed
            fraction = progress.fraction
            if on_progress is not None and fraction != last:
                on_progress(fraction)
                last = fraction
    except BaseException:
        progress.cancel()
        running = True
        while running:
            with contextlib.suppress(KeyboardInterrupt):  # impatience does not make it safe
                running = not done.wait(_POLL_S) and thread.is_alive()
        raise
    if failures:
        raise failures[0]
    return results[0]
