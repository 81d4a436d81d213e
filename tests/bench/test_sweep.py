"""`jan bench sweep`: every combination once, however often it is started; and limits it keeps."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from jan_server.cli.main import main

from jan_bench.load.measure import Point
from jan_bench.sweep.grid import Grid
from jan_bench.sweep.limits import highest_load, limit_of
from jan_engine.errors import InvalidRequest
from tests.bench.peer import Peer, peer, steady

FAST = ("--input-len", "8", "--output-len", "3", "-n", "4", "--warmup", "0", "--no-hash")


@contextmanager
def served_by_peers(found: Peer) -> Generator[list[list[str]]]:
    """Servers that were started, by their flags; the peer answers for all of them."""
    started: list[list[str]] = []

    class Started:
        url, model = found.url, "peer"

        def __init__(self, _path: Path, flags: list[str], *, alias: str) -> None:
            started.append(flags)

        def __enter__(self) -> Started:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    with patch("jan_bench.sweep.run.OwnServer", Started):
        yield started


def sweep(model: Path, out: Path, *flags: str) -> int:
    return main(["bench", "sweep", "-m", str(model), "--out", str(out), *FAST, *flags])


def points(out: Path) -> list[str]:
    return sorted(path.stem for path in out.glob("*--*.json"))


def test_every_combination_is_measured_under_every_load(
    alphabet_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--slots", "2,4", "--kv-type", "f16,q8_0", "--speculation", "off")
    with peer(steady(0.01, 0.002)) as found, served_by_peers(found) as started:
        assert sweep(alphabet_path, tmp_path, *flags, "--concurrency", "1,2", "-o", "json") == 0
    assert len(started) == 4
    assert ["--cache-type", "q8_0", "--parallel", "4", "--no-speculation"] in started
    assert len(points(tmp_path)) == 8
    assert "alphabet-kvq8_0-np4-nospec--c2" in points(tmp_path)
    told: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert len(told) == 8
    speeds = [row["output_throughput"] for row in told]
    assert speeds == sorted(speeds, reverse=True)
    assert told[0]["pareto"]  # nothing is faster
    kept = json.loads((tmp_path / "alphabet-kvf16-np2-nospec--c1.json").read_text())
    assert kept["jan_bench"]["setting"]["slots"] == 2
    assert kept["jan_bench"]["circumstances"]["command"] == "sweep"
    assert len(kept["ttfts"]) == 4


def test_what_was_measured_is_not_measured_again(
    alphabet_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with peer(steady(0, 0)) as found, served_by_peers(found) as started:
        assert sweep(alphabet_path, tmp_path, "--concurrency", "1,2") == 0
        n_asked = len(found.bodies)
        assert sweep(alphabet_path, tmp_path, "--concurrency", "1,2") == 0
        assert (len(started), len(found.bodies)) == (1, n_asked)
        assert "(measured before)" in capsys.readouterr().err
        assert sweep(alphabet_path, tmp_path, "--concurrency", "1,2,4") == 0
        assert len(started) == 2
        assert len(found.bodies) == n_asked + 2 + 4
    assert len(points(tmp_path)) == 3


def test_a_folder_of_another_sweep_is_left_alone(
    alphabet_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with peer(steady(0, 0)) as found, served_by_peers(found):
        assert sweep(alphabet_path, tmp_path) == 0
        before = points(tmp_path)
        assert sweep(alphabet_path, tmp_path, "--seed", "5") == 2
    assert "error: out: " in capsys.readouterr().err
    assert points(tmp_path) == before


@pytest.mark.unsanitized
def test_a_killed_sweep_goes_on_where_it_was(alphabet_path: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jan_server.cli.main", "bench", "sweep", *FAST]
    command += ["-m", str(alphabet_path), "--out", str(tmp_path), "--slots", "1,2"]
    of_server = ["--", "--threads", "1", "--ctx-size", "1024"]
    running = subprocess.Popen(
        [*command, *of_server], stderr=subprocess.DEVNULL, start_new_session=True
    )
    end_s = time.monotonic() + 60
    while not points(tmp_path):
        assert time.monotonic() < end_s
        assert running.poll() is None
        time.sleep(0.005)
    servers = _children(running.pid)
    running.kill()
    running.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in servers):  # nobody is left to end them
        assert time.monotonic() < end_s
        time.sleep(0.01)
    (first,) = points(tmp_path)
    written = (tmp_path / f"{first}.json").stat().st_mtime_ns
    assert main([*command[3:], *of_server]) == 0
    assert len(points(tmp_path)) == 2
    assert (tmp_path / f"{first}.json").stat().st_mtime_ns == written


def _children(parent: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True)
    return [int(pid) for pid in found.stdout.split()]


@pytest.mark.parametrize("capacity", [1, 2, 3, 7, 8, 20, 64])
def test_the_highest_load_that_keeps_a_limit_is_found(capacity: int) -> None:
    asked: list[int] = []

    def holds(point: Point) -> bool:
        assert point.concurrency is not None
        asked.append(point.concurrency)
        return point.concurrency <= capacity

    best = highest_load(holds, over_rate=False, least=1, most=64)
    assert best == Point(concurrency=capacity)
    assert len(asked) == len(set(asked)) <= 13  # none twice


def test_a_rate_is_found_to_a_tenth_and_nothing_where_nothing_holds() -> None:
    best = highest_load(lambda p: (p.rate or 0) <= 5.3, over_rate=True, least=0.5, most=64)
    assert best is not None
    assert best.rate is not None
    assert 5.3 / 1.1 <= best.rate <= 5.3
    nothing: Callable[[Point], bool] = lambda _: False  # noqa: E731
    assert highest_load(nothing, over_rate=True, least=1, most=64) is None


def test_a_limit_holds_for_those_who_are_answered_and_all_are() -> None:
    limit = limit_of("p99_ttft <= 500")
    assert limit.holds({"failed": 0, "p99_ttft_ms": 500.0})
    assert not limit.holds({"failed": 0, "p99_ttft_ms": 500.1})
    assert not limit.holds({"failed": 1, "p99_ttft_ms": 5.0})
    for wrong in ("p99_ttft<500", "p98_ttft<=500", "p99_tps<=5", "p99_ttft<=soon"):
        with pytest.raises(InvalidRequest, match=r"^sla: "):
            limit_of(wrong)


def test_a_search_keeps_its_points_and_says_what_it_found(
    alphabet_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--sla", "p99_ttft<=5000", "--sla-most", "2")
    with peer(steady(0, 0)) as found, served_by_peers(found):
        assert sweep(alphabet_path, tmp_path, *flags) == 0
        assert "p99_ttft<=5000 holds up to 2 at once" in capsys.readouterr().err
        assert points(tmp_path) == ["alphabet--c1", "alphabet--c2"]
        assert sweep(alphabet_path, tmp_path, "--sla", "p99_ttft<=0") == 1
        assert "under no load" in capsys.readouterr().err


def test_axes_multiply() -> None:
    grid = Grid(models=[Path("a"), Path("b")], slots=[1, 2, 3], speculations=[True, False])
    names = [setting.name for setting in grid.settings()]
    assert len(names) == len(set(names)) == 12
    assert "a-np3-nospec" in names


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--kv-type", "q5"], "kv_type: "),
        (["--slots", "some"], "slots: "),
        (["--threads", "0"], "threads: "),
        (["--speculation", "maybe"], "speculation: "),
        (["--quant", "Q99"], "quant: "),
        (["--sla", "fast"], "sla: "),
        (["--sla-most", "0.5"], "sla_most: "),
        (["--rate", "no"], "rate: "),
    ],
)
def test_what_cannot_be_swept_is_said_by_name(
    flags: list[str],
    why: str,
    alphabet_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert sweep(alphabet_path, tmp_path / "new", *flags) == 2
    assert capsys.readouterr().err.startswith(f"error: {why}")
    assert not (tmp_path / "new" / "sweep.json").exists() or "quant" in why
