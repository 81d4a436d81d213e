"""`jan bench engine` and llama-bench in turns, with upstream's kernels in both.

cmake -S bench/peers -B build/peers && cmake --build build/peers
python -m bench.agreement.engine qwen2-0.5b Q4_K_M
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench.models import FAMILIES, model_path
from bench.serving.llama_server import PROGRAMS

OURS = [sys.executable, "-m", "jan_server.cli.main", "bench", "engine", "--no-jan-kernels"]
THEIRS = [str(PROGRAMS / "llama-bench")]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.agreement.engine", description=__doc__)
    parser.add_argument("family", choices=sorted(FAMILIES))
    parser.add_argument("type", nargs="?", default="Q4_K_M")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    asked = parser.parse_args()
    model = model_path(asked.family, asked.type)
    flags = ["-p", "512", "-n", "128", "-t", str(asked.threads), "-r", str(asked.repetitions)]
    speeds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(asked.rounds):
        both = [("jan", [*OURS, "--no-hash"]), ("llama-bench", THEIRS)]
        for name, program in both if number % 2 == 0 else reversed(both):
            for row in _rows([*program, "-m", str(model), *flags, "-o", "json"]):
                speeds[row["test"], name].append(row["avg_ts"])
                print(f"{name:<12} {row['test']} {row['avg_ts']:.2f}", file=sys.stderr, flush=True)
    print(f"{model.name}, {asked.threads} threads, {asked.rounds} rounds of {asked.repetitions}\n")
    print("| test | jan bench engine | llama-bench | ratio of medians | of each round |")
    print("| --- | --- | --- | --- | --- |")
    for test in ("pp512", "tg128"):
        ours, theirs = speeds[test, "jan"], speeds[test, "llama-bench"]
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        print(
            f"| {test} | {statistics.median(ours):.2f} | {statistics.median(theirs):.2f} "
            f"| {statistics.median(ours) / statistics.median(theirs):.3f} "
            f"| {min(ratios):.3f} to {max(ratios):.3f}, median {statistics.median(ratios):.3f} |"
        )
    return 0


def _rows(command: list[str]) -> list[dict[str, Any]]:
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path.cwd())
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    for row in rows:
        row["test"] = f"pp{row['n_prompt']}" if row["n_prompt"] else f"tg{row['n_gen']}"
    return rows


if __name__ == "__main__":
    sys.exit(main())
