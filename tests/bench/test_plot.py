"""`jan bench plot`: what is shown of which results, and that pictures are pictures."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from unittest.mock import patch
from xml.etree import ElementTree

import pytest
from jan_server.cli.main import main

from jan_bench.plot.chart import pareto_front
from jan_bench.plot.charts import charts_of
from jan_bench.plot.svg import svg_of
from jan_bench.plot.ticks import axis_of
from jan_bench.results import read_results
from tests.bench.samples import engine_rows, quality_report, serve_row

EVERYTHING = [
    *("throughput-ttft", "user-total", "ttft-cdf", "itl-cdf", "timeline"),
    *("prefill", "decode-depth", "quality-size", "quality-speed"),
]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """One of each kind."""
    told = {
        "serve": [serve_row(n) for n in (1, 4, 16)],
        "engine": engine_rows(),
        "quality": quality_report(),
    }
    for name, what in told.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(what))
    return [tmp_path / f"{name}.json" for name in told]


def plot(files: list[Path], *flags: str) -> int:
    return main(["bench", "plot", *map(str, files), *flags])


def test_results_of_every_kind_have_their_charts(files: list[Path]) -> None:
    charts = {chart.name: chart for chart in charts_of(read_results(files))}
    assert list(charts) == EVERYTHING
    (trade,) = charts["throughput-ttft"].series
    assert trade.labels == ["1 at once", "4 at once", "16 at once"]
    assert trade.front == [0, 1, 2]
    (users,) = charts["user-total"].series
    assert users.x == pytest.approx([y / n for y, n in zip(users.y, (1, 4, 16), strict=True)])
    curve = charts["ttft-cdf"].series[0]
    assert curve.x == sorted(curve.x)
    assert curve.y[-1] == 100
    assert len(charts["timeline"].spans) == 64
    (lost,) = charts["quality-speed"].series
    assert lost.labels == ["Q4_K_M", "Q8_0"]  # of Q2_K nobody knows the speed
    assert lost.x == [34.0, 34 * 0.7]


def test_a_point_that_another_beats_in_both_is_not_of_the_front() -> None:
    points = [(1.0, 10.0), (2.0, 9.0), (3.0, 20.0), (3.0, 15.0), (1.0, 8.0)]
    assert pareto_front(points, less_x=True) == [0, 2]
    assert pareto_front(points, less_x=False) == [2]
    assert pareto_front([], less_x=True) == []


def test_axes_have_round_marks_and_room() -> None:
    axis = axis_of([3.0, 97.0], is_log=False, from_zero=True)
    assert axis.low == 0
    assert axis.high > 97
    assert axis.ticks == [0, 20, 40, 60, 80, 100]
    axis = axis_of([0.002, 3.0], is_log=True, from_zero=False)
    assert 0 < axis.at(0.002) < axis.at(0.1) < axis.at(3.0) < 1
    assert len(axis.ticks) >= 4
    for values in ([5.0], [0.0, 0.0], [7.0, 7.0]):
        assert 0 <= axis_of(values, is_log=False, from_zero=True).at(values[0]) <= 1


def test_every_svg_is_xml_inside_its_frame(files: list[Path]) -> None:
    for chart in charts_of(read_results(files)):
        tree = ElementTree.fromstring(svg_of(chart))
        _, _, width, height = (float(part) for part in tree.attrib["viewBox"].split())
        for dot in tree.iter("circle"):
            assert 0 <= float(dot.attrib["cx"]) <= width
            assert 0 <= float(dot.attrib["cy"]) <= height
        assert "nan" not in svg_of(chart)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "circle", "path"):
            self.open.append(tag)
        self.fetched += [v for name, v in attrs if name in ("src", "href") and v]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("circle", "path"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_in_itself(files: list[Path], tmp_path: Path) -> None:
    assert plot(files, "--html", str(tmp_path / "report.html")) == 0
    text = (tmp_path / "report.html").read_text()
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert page.fetched == []
    assert not re.search(r"url\(|@import|https?://", text)
    assert text.count("<svg") == len(EVERYTHING)
    assert "A processor <of 2 cores>" in page.text  # escaped on its way
    assert "320 of" not in page.text
    assert "192 of 192" in page.text
    assert "16 at once: this client used 80% of a core" in page.text
    assert "prompts share nothing" in page.text
    assert "<!--" not in text


@pytest.mark.parametrize(("kind", "begin"), [("png", b"\x89PNG\r\n"), ("svg", b"<?xml")])
def test_pictures_are_pictures(files: list[Path], tmp_path: Path, kind: str, begin: bytes) -> None:
    out = tmp_path / "pictures"
    wanted = "throughput-ttft,timeline,quality-size"
    assert plot(files, "--out", str(out), "--format", kind, "--only", wanted) == 0
    made = sorted(out.iterdir())
    assert [path.stem for path in made] == sorted(wanted.split(","))
    for path in made:
        assert path.read_bytes().startswith(begin)
        assert path.stat().st_size > 5000


def test_a_terminal_shows_every_chart(
    files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert plot(files) == 0
    shown = capsys.readouterr().out
    assert "Throughput and the wait for it" in shown
    assert "16 at once" in shown
    assert "\x1b[" not in shown
    assert "Q4_K_M" in shown


def test_without_the_extra_it_is_named(
    files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with patch.dict(sys.modules, {"plotext": None, "matplotlib": None}):
        assert plot(files) == 2
        assert "jan-engine[bench]" in capsys.readouterr().err
        assert plot(files, "--out", str(tmp_path / "pictures")) == 2
        assert "jan-engine[bench]" in capsys.readouterr().err
        assert plot(files, "--html", str(tmp_path / "report.html")) == 0  # needs neither


def test_files_without_details_still_make_a_page(tmp_path: Path) -> None:
    row = serve_row(4)
    for name in ("ttfts", "itls", "output_lens", "start_times", "latencies", "jan_bench"):
        del row[name]
    path = tmp_path / "plain.json"
    path.write_text(json.dumps(row))
    assert charts_of(read_results([path])) == []
    assert plot([path], "--html", str(tmp_path / "report.html")) == 0
    assert plot([path]) == 0


def test_what_cannot_be_drawn_is_said(
    files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plot([tmp_path / "nowhere.json"]) == 2
    assert capsys.readouterr().err.startswith("error: result: ")
    assert plot(files, "--only", "everything") == 2
    assert capsys.readouterr().err.startswith("error: only: ")
    assert plot(files, "--html", "/nowhere/report.html") == 4
    (tmp_path / "none.json").write_text("[]")
    assert plot([tmp_path / "none.json"]) == 2


def test_servers_are_told_apart_and_only_the_best_points_are_filled(tmp_path: Path) -> None:
    slow = serve_row(4, label="slow")
    slow |= {"output_throughput": 1.0, "p99_ttft_ms": 1e5}
    path = tmp_path / "two.json"
    path.write_text(json.dumps([serve_row(1, label="mine"), serve_row(4, label="mine"), slow]))
    (trade, *_) = charts_of(read_results([path]))
    assert [(one.name, one.front) for one in trade.series] == [
        ("mine: qwen2-0.5b.Q4_K_M", [0, 1]),
        ("slow: qwen2-0.5b.Q4_K_M", []),
    ]
    assert svg_of(trade).count('"dot open"') == 1
    assert plot([path], "--html", str(tmp_path / "report.html")) == 0
    assert "<td>slow: qwen2-0.5b.Q4_K_M</td>" in (tmp_path / "report.html").read_text()


def test_what_our_own_verbs_save_makes_a_page(random_path: Path, tmp_path: Path) -> None:
    engine, quality, page = (tmp_path / name for name in ("e.json", "q.json", "page.html"))
    model = str(random_path)
    measured = ["-p", "8", "-n", "4", "-r", "2", "-t", "1", "--no-hash", "--save", str(engine)]
    assert main(["bench", "engine", model, *measured]) == 0
    text = tmp_path / "text"
    text.write_text("abcdefgh" * 40)
    read = ["-f", str(text), "-c", "64", "-t", "1", "--no-hash", "--save", str(quality)]
    assert main(["bench", "quality", "--ref", model, model, *read]) == 0
    assert plot([engine, quality], "--html", str(page)) == 0
    shown = page.read_text()
    assert "<dt>devices</dt><dd>CPU (" in shown
    assert "<td>pp8</td>" in shown
