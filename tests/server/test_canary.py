"""The canary itself: content while nobody blocks the server, and loud when somebody does."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.server.canary import Canary, nobody_waits
from tests.server.running import Running
from tests.server.test_cli import start, url_of

ENDLESS = {"model": "endless", "prompt": "a", "n_predict": -1}


def test_nobody_waits_where_nothing_happens(endless_server: Running) -> None:
    nobody_waits(endless_server.url, lambda: time.sleep(0.2), stream=ENDLESS)


@pytest.mark.unsanitized
def test_a_server_that_stands_still_is_seen(endless_path: Path) -> None:
    server = start(str(endless_path), "--port", "0", "-c", "512", "-t", "1", "--context-shift")

    def stop_for_a_second() -> None:
        os.kill(server.pid, signal.SIGSTOP)
        time.sleep(1)
        os.kill(server.pid, signal.SIGCONT)

    try:
        with pytest.raises(AssertionError, match="others waited"):
            nobody_waits(url_of(server), stop_for_a_second, stream=ENDLESS, tries=1)
    finally:
        server.kill()
        server.communicate()


def test_a_stream_that_ends_is_no_canary(alphabet_server: Running) -> None:
    with (
        pytest.raises(AssertionError, match="own request failed"),
        Canary(alphabet_server.url, stream={"model": "alphabet", "prompt": "a"}),
    ):
        time.sleep(1)
