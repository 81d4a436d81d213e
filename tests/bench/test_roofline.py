"""`jan bench engine --roofline`: what it measures, says and draws."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jan_server.cli.main import main

from jan_bench.engine.roofline import RooflineResult, RooflineTest, roofline_row
from jan_bench.plot.charts import charts_of
from jan_bench.results import read_results
from jan_engine import InvalidRequest
from jan_engine.products import MachineLimits, ProductTimes, machine_limits, product_times

SMALL = ("-t", "1", "-r", "1", "--types", "q4_0,q2_K", "--columns", "1,4", "--width", "512")


def roofline(*flags: str) -> int:
    return main(["bench", "engine", "--roofline", *SMALL, "--rows", "64", *flags])


def result(n_columns: int, ns: int, upstream_ns: int, limits: MachineLimits) -> RooflineResult:
    test = RooflineTest(type="q8_0", n_columns=n_columns, width=100, n_rows=50, n_threads=1)
    times = ProductTimes(
        ours_ns=[ns] if ns else [],
        upstreams_ns=[upstream_ns],
        our_bytes=5000 if ns else 0,
        upstreams_bytes=6000,
        upstreams_buffer="CPU",
    )
    return RooflineResult(test=test, times=times, limits=limits)


def test_the_limit_is_the_nearer_of_two() -> None:
    limits = MachineLimits(1, 40.0, 10.0, "any")
    alone = roofline_row(result(1, 1000, 2000, limits))
    assert alone["limited_by"] == "memory"  # 10 GB/s and two operations for each byte
    assert alone["limit_gops"] == pytest.approx(20)
    assert alone["share_of_limit"] == pytest.approx(0.5)
    assert alone["read_gbs"] == pytest.approx(5)
    assert alone["times_upstream"] == pytest.approx(2)
    together = roofline_row(result(8, 4000, 8000, limits))
    assert together["limited_by"] == "arithmetic"
    assert together["share_of_limit"] == pytest.approx(0.5)
    assert together["upstream_share_of_limit"] == pytest.approx(0.25)


def test_where_there_is_no_kernel_of_ours_upstreams_stands_alone() -> None:
    row = roofline_row(result(8, 0, 8000, MachineLimits(1, 0.0, 10.0, "")))
    assert row["gops"] == row["times_upstream"] == 0
    assert row["limited_by"] == "memory"
    assert row["limit_gops"] == pytest.approx(10 * 2 * 8 * 5000 / 6000)


def test_limits_and_products_are_measured() -> None:
    limits = machine_limits(1)
    assert limits.n_threads == 1
    assert 0.1 < limits.read_gbs < 10_000
    times = product_times("q8_0", width=256, n_rows=32, n_columns=3, n_threads=1, n_repeats=2)
    assert len(times.upstreams_ns) >= 2
    if limits.byte_gops:  # our kernels and their loop go together
        assert limits.instruction
        assert len(times.ours_ns) == len(times.upstreams_ns)
        assert times.our_bytes >= 256 * 32


@pytest.mark.parametrize(
    ("type_name", "width", "n_rows", "field"),
    [
        ("f64", 256, 32, "type"),
        ("nonsense", 256, 32, "type"),
        ("q4_K", 128, 32, "width"),
        ("q4_K", 256, 1, "n_rows"),
        ("q4_K", 2**20, 2**24, "n_rows"),
    ],
)
def test_what_cannot_be_multiplied_is_refused(
    type_name: str, width: int, n_rows: int, field: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        product_times(type_name, width=width, n_rows=n_rows, n_columns=1)
    assert refused.value.field == field


def test_a_table_says_where_each_kernel_stands(capsys: pytest.CaptureFixture[str]) -> None:
    assert roofline() == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("1 thread: ") and "GB/s" in line for line in lines)
    rows = [[cell.strip() for cell in line.split("|")] for line in lines if line.startswith("| q")]
    assert [(row[1], row[2]) for row in rows] == [
        (name, n) for name in ("q4_0", "q2_K") for n in ("1", "4")
    ]
    assert {len(line) for line in lines if line.startswith("|")} == {len(lines[2])} or len(
        lines
    ) > 5


def test_what_is_saved_can_be_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "roofline.json"
    assert roofline("-o", "jsonl", "--save", str(path), "--db", str(tmp_path / "all.sqlite")) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    saved = json.loads(path.read_text())
    assert printed == saved
    assert saved[0]["circumstances"]["flags"]["roofline"]["width"] == 512
    charts = {chart.name: chart for chart in charts_of(read_results([path]))}
    assert list(charts) == ["roofline-q4_0", "roofline-q2_k"]
    *_, upstreams, roof = charts["roofline-q4_0"].series
    assert upstreams.x == [1, 4]
    assert roof.y == sorted(roof.y)
    drawn = {one.name for one in charts["roofline-q2_k"].series}
    assert drawn == {"llama.cpp's", "the machine's limits"}  # there is no layout of ours
    assert main(["bench", "plot", str(path), "--out", str(tmp_path / "drawn")]) == 0
    assert {file.stem for file in (tmp_path / "drawn").iterdir()} == set(charts)


def test_floating_point_weights_are_limited_by_memory_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert roofline("--types", "f16,bf16", "-o", "jsonl") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    own = [row for row in rows if row["type"] in {"f16", "bf16"}]
    assert len(own) == 4
    assert {row["limited_by"] for row in own} == {"memory"}
    assert {row["limit_byte_gops"] for row in own} == {0}


def test_it_takes_no_model_and_no_other_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert roofline("model.gguf") == 2
    assert roofline("-o", "sql") == 2
    assert capsys.readouterr().err.count("error: ") == 2
