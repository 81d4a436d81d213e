"""Our kernels against llama.cpp's, whole passes of a model: this build against llama-batched-bench.

cmake -S bench/peers -B build/peers && cmake --build build/peers
python -m bench.kernels llama-3.2-1b Q4_K_M --rounds 5 --keep rounds.jsonl

Both in turns, each a process of its own with the same threads; medians, ratios of medians, and
those of single rounds, least to most. A model is loaded with both kernels by this build, in fresh
processes too, its file in the page cache.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.models import FAMILIES, model_path
from bench.serving.llama_server import PROGRAMS
from bench.turns import taken
from jan_bench.others import OthersWatch
from jan_bench.peers.batched_bench import batched_bench

OURS = (sys.executable, "-m", "jan_server.cli.main", "bench", "engine", "--no-hash", "-r", "1")
LOADS = ((256, 32, (1,)), (16, 32, (8, 32)))  # tokens of a prompt, tokens made, streams
LOADING = """
import sys, time
from jan_engine import Model
began = time.perf_counter()
Model(sys.argv[1], matrix_kernels=sys.argv[2] == "ours")
print(time.perf_counter() - began)
"""


class Round(msgspec.Struct):
    ours: dict[str, float]  # tokens per second, or for loading, loads per second
    theirs: dict[str, float]
    others: float  # the largest share of the cores that others had in a turn


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.kernels", description=__doc__)
    parser.add_argument("family", choices=sorted(FAMILIES))
    parser.add_argument("type", nargs="?", default="Q4_K_M")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=Path, help="where rounds are added; those there count")
    asked = parser.parse_args()
    model = model_path(asked.family, asked.type)
    rounds = taken(
        Round,
        asked.rounds,
        asked.keep,
        lambda n: _round(model, asked.threads, ours_first=n % 2 == 0),
    )
    most = max(one.others for one in rounds)
    print(f"{model.name}, {asked.threads} threads, {len(rounds)} rounds, others {most:.0%} at most")
    print("\n| what | ours, per second | llama.cpp's | times | of single rounds |")
    print("| --- | ---: | ---: | ---: | --- |")
    for what in rounds[0].ours:
        ours, theirs = ([getattr(one, who)[what] for one in rounds] for who in ("ours", "theirs"))
        single = sorted(a / b for a, b in zip(ours, theirs, strict=True))
        of_both = statistics.median(ours), statistics.median(theirs)
        print(
            f"| {what} | {of_both[0]:.2f} | {of_both[1]:.2f} | {of_both[0] / of_both[1]:.2f} "
            f"| {single[0]:.2f} to {single[-1]:.2f} |"
        )
    return 0


def _round(model: Path, n_threads: int, *, ours_first: bool) -> Round:
    both: dict[bool, dict[str, float]] = {True: {}, False: {}}
    others: list[float] = []
    for is_ours in (ours_first, not ours_first):
        watch = OthersWatch()
        for n_prompt, n_out, streams in LOADS:
            turn = _our_turn if is_ours else _their_turn
            both[is_ours] |= _speeds(turn(model, n_threads, n_prompt, n_out, streams))
        said = subprocess.check_output(
            (sys.executable, "-c", LOADING, str(model), "ours" if is_ours else "theirs"), text=True
        )
        both[is_ours]["loads"] = 1 / float(said)
        others.append(watch.share() or 0.0)
    return Round(ours=both[True], theirs=both[False], others=max(others))


def _our_turn(
    model: Path, n_threads: int, n_prompt: int, n_out: int, streams: Sequence[int]
) -> list[dict[str, Any]]:
    counts = ("-p", str(n_prompt), "-n", str(n_out), "-np", ",".join(map(str, streams)))
    command = (*OURS, "-m", str(model), "-t", str(n_threads), *counts, "-o", "jsonl")
    said = subprocess.check_output(command, text=True)
    return [json.loads(line) for line in said.splitlines()]


def _their_turn(
    model: Path, n_threads: int, n_prompt: int, n_out: int, streams: Sequence[int]
) -> list[dict[str, Any]]:
    return batched_bench(
        PROGRAMS,
        model,
        n_prompt=n_prompt,
        n_out=n_out,
        streams=streams,
        n_threads=n_threads,
        n_cells=max(streams) * 512,
    )


def _speeds(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Of a prompt where one is read alone; otherwise of tokens made."""
    speeds: dict[str, float] = {}
    for row in rows:
        if row["pl"] == 1:
            speeds[f"prompt of {row['pp']}"] = row["speed_pp"]
        speeds[f"decode, {row['pl']} streams"] = row["speed_tg"]
    return speeds


if __name__ == "__main__":
    sys.exit(main())
