"""`jan bench engine`: llama-bench's tests in this engine, in its columns and files."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from jan_bench.circumstances import Circumstances, circumstances
from jan_bench.cli.aloud import say, say_if_busy
from jan_bench.cli.engine_flags import engine_parser, grid_of, patience_of
from jan_bench.cli.named_model import FindModel
from jan_bench.cli.places import require_places
from jan_bench.cli.roofline import run_roofline
from jan_bench.engine.batched import BATCHED_FORMATS, batched_row
from jan_bench.engine.formats import FORMATS, json_row
from jan_bench.engine.grid import EngineGrid, EngineTest, all_tests
from jan_bench.engine.row import llama_bench_row
from jan_bench.engine.runs import EngineResult, resolved, run_tests, spread
from jan_bench.model_file import read_model_file
from jan_bench.output import write_out
from jan_bench.store import StoredResult, add_results
from jan_engine.errors import InvalidRequest

__all__ = ["run"]

_UNSTEADY = 0.05  # of the mean


def run(arguments: list[str], find_model: FindModel) -> int:
    asked = engine_parser().parse_intermixed_args(arguments)
    if asked.roofline:
        return run_roofline(asked)
    grid = grid_of(asked, find_model)
    tests = list(all_tests(grid))
    if not tests:
        raise InvalidRequest("there is nothing to time: -p, -n and -pg are all 0")
    formats = BATCHED_FORMATS if grid.n_streams else FORMATS
    if asked.output not in formats:
        raise InvalidRequest(f"output: -np has no {asked.output}: one of {', '.join(formats)}")
    patience = patience_of(asked)
    under = circumstances(
        "engine",
        models=[read_model_file(Path(path), hashed=asked.hashed) for path in grid.models],
        flags=msgspec.to_builtins(grid) | {"least_s": patience.least_s},
        repeats=patience.repeats,
        warm_up="none" if asked.no_warmup else "the prompt once, then one token",
        seed=asked.seed,
        cache_policy="empty before each repeat; up to the depth restored from a copy",
    )
    say_if_busy(under)
    require_places(asked, under)
    output = formats[asked.output](under, grid)
    write_out(output.head(), None)
    results: list[EngineResult] = []
    try:
        for result in run_tests(
            _announced(tests, aloud=asked.progress),
            patience=patience,
            warm_up=not asked.no_warmup,
            seed=asked.seed,
            delay_s=asked.delay,
        ):
            results.append(result)
            write_out(output.row(result), None)
            _say_if_unsteady(result)
    finally:  # whatever ends it, what there is by then is kept
        if results:
            write_out(output.foot(), None)
            _keep(asked, grid, results, under)
    return 0


def _announced(tests: Sequence[EngineTest], *, aloud: bool) -> Iterator[EngineTest]:
    for number, test in enumerate(tests):
        if aloud:
            say(f"{number + 1}/{len(tests)}: {Path(test.model).name} {test.name}")
        yield test


def _keep(
    asked: argparse.Namespace, grid: EngineGrid, results: list[EngineResult], under: Circumstances
) -> None:
    """In a file, a database, both or neither."""
    if asked.save is not None:
        make = (BATCHED_FORMATS if grid.n_streams else FORMATS)["json"]
        output = make(under, grid)
        rows = "".join(output.row(result) for result in results)
        write_out(output.head() + rows + output.foot(), asked.save)
    if asked.db is not None:
        stored = [_stored(result, under) for result in results]
        add_results(asked.db, resolved(under, results), stored)


def _stored(result: EngineResult, under: Circumstances) -> StoredResult:
    if result.test.n_streams:
        return StoredResult(result=batched_row(result, under), model=result.test.model)
    told = msgspec.json.decode(json_row(result, under).encode())
    told.pop("circumstances")
    return StoredResult(
        result=told, model=result.test.model, llama_bench=llama_bench_row(result, under.build)
    )


def _say_if_unsteady(result: EngineResult) -> None:
    mean, deviation = spread(result.samples_ts)
    if deviation > _UNSTEADY * mean:
        say(
            f"note: {result.test.name} varied by {deviation / mean:.0%} between repeats; "
            "compare it with nothing closer than that"
        )
