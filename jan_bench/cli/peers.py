"""`jan bench peers`: our server beside upstream's, under the same load, in turns."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from jan_bench.circumstances import circumstances
from jan_bench.cli.named_model import FindModel
from jan_bench.load.dataset import Dataset
from jan_bench.load.endpoint import endpoint_of
from jan_bench.load.measure import Load, Measured, Point, measure, run_in_loop
from jan_bench.load.result import result_of
from jan_bench.model_file import ModelFile, read_model_file
from jan_bench.output import require_place, write_out
from jan_bench.peers.contestants import Contestant, Shape, ceiling_per_s, contestants
from jan_bench.peers.programs import find_programs
from jan_bench.results import Row
from jan_engine.errors import InvalidRequest

__all__ = ["run"]

_FIGURES = {
    "tokens/s": "output_throughput",
    "TTFT p50, ms": "median_ttft_ms",
    "p99": "p99_ttft_ms",
    "TPOT p50, ms": "median_tpot_ms",
    "ITL p99, ms": "p99_itl_ms",
}


def run(arguments: list[str], find_model: FindModel) -> int:
    asked = _parser().parse_args(arguments)
    for name in ("concurrency", "rounds", "requests", "input_len", "output_len", "threads"):
        if getattr(asked, name) < 1:
            raise InvalidRequest(f"{name}: must be at least 1")
    if asked.save is not None:
        require_place(asked.save)
    path = find_model(asked.model)
    model = read_model_file(path, hashed=asked.hashed)
    shape = Shape(
        model=path,
        n_streams=asked.concurrency,
        n_ctx=max(512, (asked.input_len + asked.output_len) * 5 // 4),
        n_threads=asked.threads,
    )
    programs = find_programs(asked.checkout, build=asked.build)
    everyone = contestants(shape, programs)
    rows: dict[str, list[Row]] = defaultdict(list)
    ceilings: list[float] = []
    for number in range(asked.rounds):
        first = number % len(everyone)
        for one in everyone[first:] + everyone[:first]:
            _say(f"round {number + 1} of {asked.rounds}: {one.name}")
            row = _measured(one, asked, number, model)
            if row is None:
                return 130
            rows[one.name].append(row)
        _say(f"round {number + 1} of {asked.rounds}: llama-batched-bench")
        ceilings.append(
            ceiling_per_s(shape, programs, n_input=asked.input_len, n_output=asked.output_len)
        )
    if asked.save is not None:
        everything = [row for of_one in rows.values() for row in of_one]
        write_out(msgspec.json.encode(everything).decode() + "\n", asked.save)
    write_out(_table(rows, ceilings, asked), None)
    return 0


def _measured(
    one: Contestant, asked: argparse.Namespace, number: int, model: ModelFile
) -> Row | None:
    """None where somebody interrupted it. Each is started for its turn: nobody else's memory and
    threads are in its way.
    """
    load = Load(
        dataset=Dataset(n_input=asked.input_len, n_output=asked.output_len),
        points=(Point(concurrency=asked.concurrency),),
        n_prompts=asked.requests,
        n_warmup=asked.concurrency,
        seed=asked.seed + number,
    )
    found: list[Measured] = []
    with one.serving() as url:
        further: dict[str, Any] = {"temperature": 0, "repeat_penalty": 1}
        endpoint = endpoint_of(url, "completions", model="peers", ignore_eos=True, further=further)
        under = circumstances(
            "peers",
            models=[model],
            flags={"program": one.name, "flags": list(one.flags)},
            repeats=asked.rounds,
            warm_up=f"{load.n_warmup} requests",
            seed=load.seed,
            cache_policy=load.cache_policy,
            computes=False,
        )
        if not run_in_loop(measure(endpoint, load, found.append)):
            return None
    return result_of(found[0], load, endpoint, under, label=one.name)


def _table(rows: dict[str, list[Row]], ceilings: Sequence[float], asked: argparse.Namespace) -> str:
    ceiling = statistics.median(ceilings)
    lines = [["", *_FIGURES, "of the ceiling"], ["---", *["---:"] * (len(_FIGURES) + 1)]]
    for name, of_one in rows.items():
        medians = [statistics.median(row[key] for row in of_one) for key in _FIGURES.values()]
        share = f"{medians[0] / ceiling:.2f}" if ceiling else ""
        lines.append([name, *(f"{value:.1f}" for value in medians), share])
    lines.append(["llama-batched-bench: the ceiling", f"{ceiling:.1f}", *[""] * 4, "1.00"])
    text = "".join("| " + " | ".join(line) + " |\n" for line in lines)
    failed = sum(row["failed"] for of_one in rows.values() for row in of_one)
    return (
        f"{text}\n{asked.concurrency} at once, {asked.requests} requests of {asked.input_len} "
        f"tokens in and {asked.output_len} out, {asked.threads} threads; medians of "
        f"{asked.rounds} interleaved rounds; {failed} failed.\n"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jan bench peers",
        description="Builds llama-server and llama-batched-bench from the llama.cpp that a "
        "checkout pins, and asks our server, upstream's as it comes and upstream's at its best the "
        "same questions, in turns. The ceiling is upstream's kernels with nothing around them.",
    )
    parser.add_argument("-m", "--model", required=True, help="a file, or a model's name")
    parser.add_argument("--checkout", type=Path, default=Path(), metavar="FOLDER", help="(here)")
    parser.add_argument("--build", action="store_true", help="build the programs again")
    parser.add_argument("-c", "--concurrency", type=int, default=8, metavar="N", help="(8)")
    parser.add_argument("-n", "--requests", type=int, default=32, metavar="N", help="a round (32)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="(3)")
    parser.add_argument("--input-len", type=int, default=128, metavar="N", help="tokens (128)")
    parser.add_argument("--output-len", type=int, default=64, metavar="N", help="tokens (64)")
    parser.add_argument("-t", "--threads", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--seed", type=int, default=0, help="of the prompts")
    parser.add_argument("--save", type=Path, metavar="FILE", help="every round as JSON, for plot")
    parser.add_argument("--no-hash", dest="hashed", action="store_false")
    return parser
