"""`jan bench engine` and llama-bench in turns, with upstream's kernels in both.

cmake -S bench/peers -B build/peers && cmake --build build/peers
python -m bench.agreement.engine qwen2-0.5b Q4_K_M --keep turns.jsonl

Two turns make a pair, each a process of its own with one repeat after its warm-up, so that what the
machine does meanwhile befalls both; who is first changes from pair to pair. A pair is quiet where
others had hardly anything of the cores in either turn, which is known without its figures. What
still disturbs a turn, memory that other virtual machines use, makes it slower and never faster: so
the fastest quarters of both are nearest to the programs themselves.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.models import FAMILIES, model_path
from bench.serving.llama_server import PROGRAMS
from bench.turns import taken
from jan_bench.others import QUIET, run_watched

OURS = (sys.executable, "-m", "jan_server.cli.main", "bench", "engine", "--no-jan-kernels")
THEIRS = (str(PROGRAMS / "llama-bench"),)
SAME = ("-p", "512", "-n", "128", "-b", "2048", "-ub", "512", "-fa", "on", "-r", "1", "-o", "json")
TESTS = ("pp512", "tg128")


class Pair(msgspec.Struct):
    ours: dict[str, float]  # tokens per second of each test
    theirs: dict[str, float]
    others: float  # the larger share of the cores that others had in either turn


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.agreement.engine", description=__doc__)
    parser.add_argument("family", choices=sorted(FAMILIES))
    parser.add_argument("type", nargs="?", default="Q4_K_M")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=Path, help="where pairs are added; those there count")
    asked = parser.parse_args()
    model = model_path(asked.family, asked.type)
    flags = ("-m", str(model), "-t", str(asked.threads))
    pairs = taken(Pair, asked.pairs, asked.keep, lambda n: _pair(flags, ours_first=n % 2 == 0))
    print(f"{model.name}, {asked.threads} threads\n")
    print(
        "| test | pairs | jan bench engine | llama-bench | ratio | of fastest quarters | of pairs |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    quiet = [pair for pair in pairs if pair.others <= QUIET]
    for test in TESTS:
        _row(test, f"all {len(pairs)}", pairs)
        if quiet and len(quiet) < len(pairs):
            _row(test, f"the {len(quiet)} quiet ones", quiet)
    return 0


def _pair(flags: Sequence[str], *, ours_first: bool) -> Pair:
    if ours_first:
        ours, theirs = _turn((*OURS, "--no-hash", *flags)), _turn((*THEIRS, *flags))
    else:
        theirs, ours = _turn((*THEIRS, *flags)), _turn((*OURS, "--no-hash", *flags))
    return Pair(ours=ours[0], theirs=theirs[0], others=max(ours[1], theirs[1]))


def _turn(command: Sequence[str]) -> tuple[dict[str, float], float]:
    said, others = run_watched((*command, *SAME))
    rows: list[dict[str, Any]] = json.loads(said)
    speeds = [row["avg_ts"] for row in sorted(rows, key=lambda row: row["n_gen"])]
    return dict(zip(TESTS, speeds, strict=True)), others


def _row(test: str, which: str, pairs: Sequence[Pair]) -> None:
    ours, theirs = [pair.ours[test] for pair in pairs], [pair.theirs[test] for pair in pairs]
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    low, high = _interval(ratios)
    print(
        f"| {test} | {which} | {statistics.median(ours):.2f} | {statistics.median(theirs):.2f} "
        f"| {statistics.median(ours) / statistics.median(theirs):.3f} "
        f"| {_fastest(ours) / _fastest(theirs):.3f} "
        f"| {statistics.median(ratios):.3f} ({low:.3f} to {high:.3f}) |"
    )


def _fastest(speeds: Sequence[float]) -> float:
    """Median of the fastest quarter."""
    return statistics.median(sorted(speeds)[-max(1, len(speeds) // 4) :])


def _interval(ascending: Sequence[float]) -> tuple[float, float]:
    """Holds the median of all pairs that could be taken in 95 of 100 such series, whatever their
    distribution: each pair is on either side of it with the same chance.
    """
    n, beyond, chance = len(ascending), 0, 0.0
    while True:
        chance += math.comb(n, beyond) / 2**n
        if chance > 0.025 or beyond >= n // 2:
            break
        beyond += 1
    at = max(beyond - 1, 0)
    return ascending[at], ascending[n - 1 - at]


if __name__ == "__main__":
    sys.exit(main())
