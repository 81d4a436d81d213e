"""`jan bench plot`: results as pictures, in a terminal, in files, or on one page."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from jan_bench.cli.named_model import FindModel
from jan_bench.output import write_out
from jan_bench.plot.chart import Chart
from jan_bench.plot.charts import charts_of
from jan_bench.plot.report import report_of
from jan_bench.results import Results, read_results
from jan_engine.errors import InvalidRequest, WriteFailed

__all__ = ["run"]


def run(arguments: list[str], _find_model: FindModel) -> int:
    asked = _parser().parse_args(arguments)
    results = read_results(asked.results)
    if not results.n_rows:
        raise InvalidRequest("result: there is nothing in these files")
    if asked.html is not None:
        write_out(report_of(results, asked.title or _title(results)), asked.html)
        print(f"wrote {asked.html}", file=sys.stderr)
    charts = _wanted(charts_of(results), asked.only)
    if asked.out is not None:
        _draw(charts, asked.out, asked.format)
    if asked.html is None and asked.out is None:
        _show(charts)
    return 0


def _wanted(charts: list[Chart], only: str | None) -> list[Chart]:
    if only is None:
        return charts
    named = {chart.name: chart for chart in charts}
    wanted = only.split(",")
    for name in wanted:
        if name not in named:
            raise InvalidRequest(
                f"only: there is no {name!r} in these results, but {', '.join(named) or 'nothing'}"
            )
    return [named[name] for name in wanted]


def _draw(charts: list[Chart], folder: Path, kind: str) -> None:
    from jan_bench.plot.pictures import draw

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteFailed(f"cannot write {folder}: {error.strerror or error}") from error
    for chart in charts:
        path = folder / f"{chart.name}.{kind}"
        draw(chart, path)
        print(f"wrote {path}", file=sys.stderr)


def _show(charts: list[Chart]) -> None:
    from jan_bench.plot.terminal import in_terminal

    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    for chart in charts:
        print(in_terminal(chart, width, colours=sys.stdout.isatty()))
        print(f"  {chart.says}\n")
    if not charts:
        print("a single point is no picture; give more loads, or --save-detailed", file=sys.stderr)


def _title(results: Results) -> str:
    """What was measured."""
    names = [str(row["model_id"]) for row in results.serve]
    names += [str(row.get("model_filename", "")) for row in results.engine + results.batched]
    names += [str(row["model"]["path"]) for row in results.quality]
    short = [name.rpartition("/")[2].removesuffix(".gguf") for name in names]
    models = list(dict.fromkeys(name for name in short if name))
    more = f" and {len(models) - 2} more" if len(models) > 2 else ""
    return ", ".join(models[:2]) + more


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jan bench plot",
        description="Results of every bench, ours and those in whose form they are: throughput "
        "against the wait, distributions, requests over time, speed over length, quality against "
        "size. Without --out and --html in the terminal.",
    )
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULT", help="files of JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="one page with everything")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="a picture per chart")
    parser.add_argument("--format", choices=("png", "svg", "pdf"), default="png")
    parser.add_argument("--only", metavar="NAME,...", help="charts by the names of their files")
    parser.add_argument("--title", help="of the page; what was measured otherwise")
    return parser
