"""`jan bench engine --roofline`: matrix kernels against what the machine allows."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import msgspec

from jan_bench.circumstances import Circumstances, circumstances
from jan_bench.cli.aloud import say, say_if_busy
from jan_bench.cli.engine_flags import patience_of, roofline_grid_of
from jan_bench.cli.places import require_places
from jan_bench.engine.roofline import (
    ROOFLINE_FORMATS,
    RooflineResult,
    RooflineTest,
    roofline_row,
    tests_of,
    time_products,
)
from jan_bench.output import write_out
from jan_bench.store import StoredResult, add_results
from jan_engine.errors import InvalidRequest
from jan_engine.products import machine_limits

__all__ = ["run_roofline"]


def run_roofline(asked: argparse.Namespace) -> int:
    grid = roofline_grid_of(asked)
    if asked.output not in ROOFLINE_FORMATS:
        known = ", ".join(ROOFLINE_FORMATS)
        raise InvalidRequest(f"output: --roofline has no {asked.output}: one of {known}")
    n_repeats = patience_of(asked).repeats
    under = circumstances(
        "engine",
        flags={"roofline": msgspec.to_builtins(grid)},
        repeats=n_repeats,
        warm_up="each product once",
    )
    say_if_busy(under)
    require_places(asked, under)
    output = ROOFLINE_FORMATS[asked.output](under)
    write_out(output.head(), None)
    results: list[RooflineResult] = []
    try:
        for n_threads in grid.n_threads:
            limits = machine_limits(n_threads)
            for type_name in grid.types:
                limits = limits.best(machine_limits(n_threads))
                tests = tests_of(type_name, grid, limits.n_threads)
                shown = _announced(tests, aloud=asked.progress)
                for result in time_products(shown, limits, repeats=n_repeats):
                    results.append(result)
                    write_out(output.row(result), None)
    finally:  # whatever ends it, what there is by then is kept
        if results:
            write_out(output.foot(), None)
            _keep(asked, results, under)
    return 0


def _announced(tests: Sequence[RooflineTest], *, aloud: bool) -> Iterator[RooflineTest]:
    for number, test in enumerate(tests):
        if aloud:
            say(f"{number + 1}/{len(tests)}: {test.type}, {test.n_columns} columns")
        yield test


def _keep(asked: argparse.Namespace, results: list[RooflineResult], under: Circumstances) -> None:
    """In a file, a database, both or neither."""
    if asked.save is not None:
        output = ROOFLINE_FORMATS["json"](under)
        rows = "".join(output.row(result) for result in results)
        write_out(output.head() + rows + output.foot(), asked.save)
    if asked.db is not None:
        add_results(asked.db, under, [StoredResult(result=roofline_row(one)) for one in results])
