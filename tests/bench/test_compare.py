"""`jan bench compare`: what is noise, what is not, and what that is worth as an exit status."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from jan_server.cli.main import main


def engine(path: Path, *samples: float, **fields: object) -> Path:
    row = {"model_filename": "m.gguf", "n_prompt": 512, "n_gen": 0, "n_depth": 0}
    row |= {"avg_ts": sum(samples) / len(samples), "samples_ts": list(samples)}
    path.write_text(json.dumps([row | fields]))
    return path


def roofline(path: Path, *samples_ns: int) -> Path:
    row = {"type": "q4_K", "width": 256, "n_rows": 64, "n_columns": 8, "n_threads": 1}
    row |= {"limit_gops": 1000.0, "samples_ns": list(samples_ns), "upstream_samples_ns": [9]}
    path.write_text(json.dumps([row]))
    return path


def test_products_are_compared_by_what_they_compute_in_a_second(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = roofline(tmp_path / "a.json", 1000, 1010, 990, 1005)
    after = roofline(tmp_path / "b.json", 2000, 2010, 1990, 2005)
    assert compare(before, after) == 1
    told = capsys.readouterr().out
    assert "q4_K 256 x 64, 8 columns, 1 threads" in told
    assert "GOPS" in told


def serving(path: Path, *, slower: float = 1.0, n: int = 40, seed: int = 1) -> Path:
    """Requests one after the other; `slower` stretches all their times."""
    rng = random.Random(seed)
    ttfts = [slower * rng.gauss(0.1, 0.005) for _ in range(n)]
    itls = [[slower * rng.gauss(0.02, 0.001) for _ in range(9)] for _ in range(n)]
    latencies = [ttft + sum(gaps) for ttft, gaps in zip(ttfts, itls, strict=True)]
    told: dict[str, Any] = {
        "max_concurrency": 1,
        "request_throughput": 1.0,
        "output_throughput": 10 * n / sum(latencies),
        "ttfts": ttfts,
        "itls": itls,
        "latencies": latencies,
        "start_times": [sum(latencies[:i]) for i in range(n)],
        "output_lens": [10] * n,
    }
    path.write_text(json.dumps(told))
    return path


def compare(a: Path, b: Path, *flags: str) -> int:
    return main(["bench", "compare", str(a), str(b), *flags])


@pytest.mark.parametrize(
    ("samples", "status", "mark"),
    [
        ((90.0, 90.5, 89.5, 90.2, 89.8), 1, "worse"),
        ((110.0, 110.5, 109.5, 110.2, 109.8), 0, "better"),
        ((99.0, 99.5, 98.5, 99.2, 98.8), 0, "the same"),  # surely less, but nobody minds that
        ((70.0, 125.0, 95.0, 60.0, 120.0), 0, "|"),  # less, and as likely noise
    ],
)
def test_worse_is_more_than_the_tolerance_and_sure(
    tmp_path: Path,
    samples: tuple[float, ...],
    status: int,
    mark: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    a = engine(tmp_path / "a.json", 100, 100.5, 99.5, 100.2, 99.8)
    assert compare(a, engine(tmp_path / "b.json", *samples)) == status
    (line,) = capsys.readouterr().out.splitlines()[2:]
    assert "pp512" in line
    assert mark in line.rpartition("…")[2]
    assert "worse" not in line or status == 1


def test_the_tolerance_is_what_was_said(tmp_path: Path) -> None:
    a = engine(tmp_path / "a.json", 100, 101, 99, 100)
    b = engine(tmp_path / "b.json", 90, 91, 89, 90)
    assert compare(a, b, "--tolerance", "15") == 0
    assert compare(a, b, "--tolerance", "5") == 1
    assert compare(b, a, "--tolerance", "5") == 0  # faster


def test_a_slower_server_is_found_in_all_that_it_slows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = serving(tmp_path / "a.json")
    b = serving(tmp_path / "b.json", slower=1.2, seed=2)
    assert compare(a, b, "-o", "json") == 1
    found = {one["figure"]: one for one in json.loads(capsys.readouterr().out)}
    assert set(found) == {"tokens/s", "TTFT median", "TTFT p99", "TPOT median", "E2EL median"}
    assert found["TPOT median"]["change"] == pytest.approx(0.2, abs=0.02)
    assert found["tokens/s"]["change"] == pytest.approx(-1 / 6, abs=0.02)
    for one in found.values():
        assert one["low"] < one["change"] < one["high"]
    worse = {name for name, one in found.items() if one["verdict"] == "worse"}
    # Of 40 requests nobody knows a 99th percentile well enough to hold anyone to it.
    assert worse >= {"TTFT median", "TPOT median", "E2EL median"}
    assert "TTFT p99" not in worse


def test_the_same_server_twice_is_no_regression(tmp_path: Path) -> None:
    a = serving(tmp_path / "a.json", n=80)
    b = serving(tmp_path / "b.json", n=80, seed=2)
    assert compare(a, b) == 0


def test_single_samples_have_no_interval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = engine(tmp_path / "a.json", 100), engine(tmp_path / "b.json", 50)
    assert compare(a, b) == 0
    told = capsys.readouterr()
    assert "one sample, no interval" in told.out
    assert "--save-detailed" in told.err


def test_several_files_rows_and_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = engine(tmp_path / "a.json", 100, 101)
    row = json.loads(a.read_text())[0]
    lines = [row, row | {"n_prompt": 0, "n_gen": 128, "n_depth": 4096}]
    a.write_text("\n".join(json.dumps(line) for line in lines))
    assert compare(a, a) == 0
    assert "tg128 @ d4096" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "error: b: "),
        ('{"some": "thing"}', "error: b: "),
        ("[3]", "error: b: "),
        ('[{"n_prompt": 0, "n_gen": 7, "avg_ts": 1}]', "error: b: "),  # nothing in common
    ],
)
def test_what_cannot_be_compared_is_said(
    tmp_path: Path, text: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = engine(tmp_path / "a.json", 1, 2), tmp_path / "b.json"
    b.write_text(text)
    assert compare(a, b) == 2
    assert capsys.readouterr().err.startswith(why)
    assert compare(tmp_path / "nowhere.json", a) == 2
    assert capsys.readouterr().err.startswith("error: a: ")
    assert compare(a, a, "--confidence", "1") == 2
    assert capsys.readouterr().err.startswith("error: confidence: ")


def test_noise_that_lasts_is_no_difference(tmp_path: Path) -> None:
    """Two runs of one server on a machine that was busy now and then, once for longer."""

    def run(path: Path, busy: range, seed: int) -> Path:
        told = json.loads(serving(path, n=90, seed=seed).read_text())
        for i in busy:
            told["ttfts"][i] *= 1.6
            told["itls"][i] = [1.6 * gap for gap in told["itls"][i]]
            told["latencies"][i] *= 1.6
        told["start_times"] = [sum(told["latencies"][:i]) for i in range(90)]
        path.write_text(json.dumps(told))
        return path

    a = run(tmp_path / "a.json", range(10, 35), 1)
    b = run(tmp_path / "b.json", range(20, 70), 2)
    assert compare(a, b) == 0
    assert compare(a, serving(tmp_path / "c.json", n=90, slower=2.5)) == 1  # that is no noise


def test_few_repeats_have_wide_intervals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(3)
    widths: list[float] = []
    for n in (3, 30):
        a = engine(tmp_path / "a.json", *(rng.gauss(100, 2) for _ in range(n)))
        b = engine(tmp_path / "b.json", *(rng.gauss(100, 2) for _ in range(n)))
        compare(a, b, "-o", "json")
        (one,) = json.loads(capsys.readouterr().out)
        widths.append(one["high"] - one["low"])
    assert widths[0] > 3.5 * widths[1]


def test_the_same_distribution_is_seldom_called_worse(tmp_path: Path) -> None:
    rng = random.Random(4)
    n_worse = 0
    for _ in range(200):
        a = engine(tmp_path / "a.json", *(rng.gauss(100, 10) for _ in range(5)))
        b = engine(tmp_path / "b.json", *(rng.gauss(100, 10) for _ in range(5)))
        n_worse += compare(a, b, "--tolerance", "0", "--draws", "200")
    assert n_worse <= 200 * 0.05
