"""What others had of the cores while something was measured."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from jan_bench.others import OthersWatch, run_watched

BURN = "import time\nend = time.monotonic() + {}\nwhile time.monotonic() < end: pass"


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell")
def test_what_is_still_running_is_somebody_elses_and_what_has_ended_is_own() -> None:
    watch = OthersWatch()
    with subprocess.Popen([sys.executable, "-c", BURN.format(1.0)]) as burning:
        time.sleep(0.6)
        before = watch.share()
        burning.wait()
    after = watch.share()
    assert before is not None
    assert after is not None
    assert before > 0.1
    assert after < before


def test_a_program_is_watched_and_heard() -> None:
    said, others = run_watched([sys.executable, "-c", "print(1)"])
    assert said == "1\n"
    assert 0 <= others <= 1
