"""python -m bench.start: how long the `jan` command takes to begin. Medians; each in turn, so that
a busy moment of the machine is everybody's.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests import models

ROUNDS = 9
N_MODELS = 20
JAN = Path(sys.executable).parent / "jan"


def whole(*arguments: str) -> None:
    subprocess.run([JAN, *arguments], check=True, stdout=subprocess.DEVNULL)


def until_ready(path: Path) -> None:
    """Until the line that says where it listens."""
    arguments = [str(JAN), "serve", str(path), "--port", "0", "-t", "1"]
    server = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    assert server.stderr
    for line in server.stderr:
        if re.match("https?://", line):
            break
    server.kill()
    server.wait()
    server.stderr.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["JAN_HOME"] = str(folder / "home")
        path = models.write_demo(folder / "demo.gguf")
        (folder / "theirs").mkdir()
        for number in range(N_MODELS):
            (folder / f"theirs/{number}.gguf").symlink_to(path)
        whole("pull", str(folder / "theirs"))
        timed: dict[str, Callable[[], None]] = {
            "python -c pass": lambda: subprocess.run(
                [sys.executable, "-c", "pass"], check=True
            ).check_returncode(),
            "jan --version": lambda: whole("--version"),
            f"jan list, {N_MODELS} models": lambda: whole("list"),
            "jan serve FILE, 2 MB, until it answers": lambda: until_ready(path),
        }
        took: dict[str, list[float]] = {what: [] for what in timed}
        for _ in range(ROUNDS):
            for what, call in timed.items():
                began_s = time.perf_counter()
                call()
                took[what].append(time.perf_counter() - began_s)
    for what, seconds in took.items():
        least, most = min(seconds) * 1000, max(seconds) * 1000
        print(f"{what}: {statistics.median(seconds) * 1000:.0f} ms ({least:.0f} to {most:.0f})")


if __name__ == "__main__":
    main()
