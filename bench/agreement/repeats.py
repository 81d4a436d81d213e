"""Whether two runs of `jan bench engine` differ by less than the spread that they report.

python -m bench.agreement.repeats qwen2-0.5b Q4_K_M --keep runs.jsonl

Runs come two by two, right after each other. They agree in a test where their means are no further
apart than their standard deviations together.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from pathlib import Path

import msgspec

from bench.models import FAMILIES, model_path
from bench.turns import taken
from jan_bench.others import QUIET, run_watched

OURS = (sys.executable, "-m", "jan_server.cli.main", "bench", "engine", "--no-hash", "-o", "json")
TESTS = ("pp512", "tg128")


class Run(msgspec.Struct):
    means: dict[str, float]  # tokens per second of each test
    deviations: dict[str, float]
    others: float  # share of the cores that others had


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.agreement.repeats", description=__doc__)
    parser.add_argument("family", choices=sorted(FAMILIES))
    parser.add_argument("type", nargs="?", default="Q4_K_M")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--repetitions", type=int, help="instead of as many as it takes by itself")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=Path, help="where runs are added; those there count")
    asked = parser.parse_args()
    model = model_path(asked.family, asked.type)
    often = () if asked.repetitions is None else ("-r", str(asked.repetitions))
    command = (*OURS, "-m", str(model), "-t", str(asked.threads), *often)
    runs = taken(Run, 2 * asked.pairs, asked.keep, lambda _: _run(command))
    number = asked.repetitions or "its own number of"
    print(f"{model.name}, {asked.threads} threads, {number} repeats in a run\n")
    print("| test | pairs of runs | agree | apart, median | both deviations, median |")
    print("| --- | --- | --- | --- | --- |")
    pairs = list(zip(runs[::2], runs[1::2], strict=False))
    quiet = [pair for pair in pairs if max(run.others for run in pair) <= QUIET]
    for test in TESTS:
        _row(test, f"all {len(pairs)}", pairs)
        if quiet and len(quiet) < len(pairs):
            _row(test, f"the {len(quiet)} quiet ones", quiet)
    return 0


def _run(command: tuple[str, ...]) -> Run:
    said, others = run_watched(command)
    rows = sorted(json.loads(said), key=lambda row: row["n_gen"])
    return Run(
        means={name: row["avg_ts"] for name, row in zip(TESTS, rows, strict=True)},
        deviations={name: row["stddev_ts"] for name, row in zip(TESTS, rows, strict=True)},
        others=others,
    )


def _row(test: str, which: str, pairs: list[tuple[Run, Run]]) -> None:
    """In per cent of the pair's mean."""
    apart: list[float] = []
    allowed: list[float] = []
    for first, second in pairs:
        mean = (first.means[test] + second.means[test]) / 2
        apart.append(abs(first.means[test] - second.means[test]) / mean)
        allowed.append((first.deviations[test] + second.deviations[test]) / mean)
    n_agree = sum(a <= b for a, b in zip(apart, allowed, strict=True))
    print(
        f"| {test} | {which} | {n_agree} of {len(pairs)} "
        f"| {statistics.median(apart):.1%} | {statistics.median(allowed):.1%} |"
    )


if __name__ == "__main__":
    sys.exit(main())
