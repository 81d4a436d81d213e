"""A native call that is interrupted has ended before anybody hears of it."""

from __future__ import annotations

import _thread
import threading
import time

import pytest

from jan_engine import _core
from jan_engine.native_call import watched


@pytest.mark.parametrize("every_s", [0.02, 10])
@pytest.mark.parametrize("n_interruptions", [1, 3])
def test_an_interruption_leaves_after_the_call(every_s: float, n_interruptions: int) -> None:
    ended = threading.Event()

    def call(_: _core.Progress) -> None:
        time.sleep(0.6)
        ended.set()

    for number in range(n_interruptions):
        threading.Timer(0.1 * (number + 1), _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        watched(call, None, "interrupted", every_s)
    assert ended.is_set()


def test_what_it_raises_arrives() -> None:
    def call(_: _core.Progress) -> None:
        raise LookupError("of its own")

    with pytest.raises(LookupError, match="of its own"):
        watched(call, None, "failing")


def test_progress_that_raises_ends_it() -> None:
    seen: list[float] = []
    ended = threading.Event()

    def call(_: _core.Progress) -> None:
        time.sleep(0.2)
        ended.set()

    def refuse(fraction: float) -> None:
        seen.append(fraction)
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        watched(call, refuse, "refused")
    assert seen == [0.0]
    assert ended.is_set()
