"""`jan bench serve` and guidellm in turns, asking one server the same kind of prompts.

python -m venv elsewhere && elsewhere/bin/pip install guidellm
python -m bench.agreement.serve qwen2-0.5b --guidellm elsewhere/bin/guidellm

On a machine with few cores a heavy client slows the server down, and that is no disagreement about
what was measured. So the server has the first core to itself, and whoever asks the last one.

What guidellm calls inter-token latency is TPOT here: per token after the first, one per request.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench.models import FAMILIES, model_path
from jan_bench.load.own_server import OwnServer
from jan_bench.load.words import random_text

N_INPUT, N_OUTPUT = 128, 32
FIGURES = ("TTFT, median, ms", "TPOT, median, ms", "tokens/s out")
OURS = [sys.executable, "-m", "jan_server.cli.main", "bench", "serve"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.agreement.serve", description=__doc__)
    parser.add_argument("family", choices=sorted(FAMILIES))
    parser.add_argument("type", nargs="?", default="Q4_K_M")
    parser.add_argument("--guidellm", type=Path, required=True, help="the program")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--concurrency", type=int, default=2)
    parser.add_argument("--requests", type=int, default=12)
    asked = parser.parse_args()
    model = model_path(asked.family, asked.type)
    flags = ["--threads", "1", "--parallel", str(asked.concurrency), "--no-speculation"]
    cores = sorted(os.sched_getaffinity(0))
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    os.sched_setaffinity(0, cores[:1])  # what is started has it too
    with tempfile.TemporaryDirectory() as name, OwnServer(model, flags, alias="benched") as server:
        os.sched_setaffinity(0, cores[-1:])
        for number in range(asked.rounds):
            both = [("jan", _ours), ("guidellm", _theirs)]
            for who, ask in both if number % 2 == 0 else reversed(both):
                folder = Path(name) / f"{who}-{number}"
                folder.mkdir()
                prompts = _prompts(folder / "prompts.jsonl", f"{who} {number}", asked.requests)
                figures = ask(server.url, prompts, folder / "told.json", asked)
                for figure, value in zip(FIGURES, figures, strict=True):
                    found[figure, who].append(value)
    print(f"{model.name}, one core, {asked.concurrency} at once, {asked.requests}")
    print(f"requests of about {N_INPUT} tokens in and {N_OUTPUT} out, {asked.rounds} rounds\n")
    print("| figure | jan bench serve | guidellm | ratio of medians | of each round |")
    print("| --- | ---: | ---: | ---: | --- |")
    for figure in FIGURES:
        ours, theirs = found[figure, "jan"], found[figure, "guidellm"]
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        print(
            f"| {figure} | {statistics.median(ours):.2f} | {statistics.median(theirs):.2f} "
            f"| {statistics.median(ours) / statistics.median(theirs):.3f} "
            f"| {min(ratios):.3f} to {max(ratios):.3f} |"
        )
    return 0


def _prompts(path: Path, seed: str, n: int) -> Path:
    """Nobody's cache has seen them: each run has its own."""
    rng = random.Random(seed)
    lines = [
        json.dumps({"prompt": random_text(N_INPUT, rng), "output_tokens_count": N_OUTPUT})
        for _ in range(n)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def _ours(
    url: str, prompts: Path, told: Path, asked: argparse.Namespace
) -> tuple[float, float, float]:
    command = [*OURS, "--url", url, "--model", "benched", "--dataset", "jsonl", "--ignore-eos"]
    command += ["--dataset-path", str(prompts), "--output-len", str(N_OUTPUT), "--warmup", "0"]
    command += ["-n", str(asked.requests), "--concurrency", str(asked.concurrency), "-o", "json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    assert found["completed"] == asked.requests, found["jan_bench"]["errors_by_kind"]
    told.write_bytes(done.stdout)
    return found["median_ttft_ms"], found["median_tpot_ms"], found["output_throughput"]


def _theirs(
    url: str, prompts: Path, told: Path, asked: argparse.Namespace
) -> tuple[float, float, float]:
    backend = f"kind=openai_http,target={url},model=benched,request_format=/v1/completions"
    command = [str(asked.guidellm), "run", "--backend", backend, "--disable-console"]
    command += ["--profile", f"kind=concurrent,streams={asked.concurrency}"]
    command += ["--constraint", f"kind=max_requests,count={asked.requests}"]
    command += ["--data", f"kind=json_file,path={prompts}"]
    command += ["--output", f"kind=json,path={told}"]
    quiet = {**os.environ, "HF_HUB_OFFLINE": "1"}
    subprocess.run(command, check=True, env=quiet, cwd=told.parent, stdout=subprocess.DEVNULL)
    (found,) = json.loads(told.read_text())["benchmarks"]
    metrics: dict[str, Any] = found["metrics"]
    requests = found["requests"]["successful"]
    assert len(requests) >= asked.requests - 1, "it gives up the last one now and then"
    # Its own throughput leaves out the seconds in which not all streams run: of the same seconds.
    began_s = min(one["request_start_time"] for one in requests)
    ended_s = max(one["request_end_time"] for one in requests)
    n_out = sum(one["output_tokens"] for one in requests)
    return (
        metrics["time_to_first_token_ms"]["successful"]["median"],
        metrics["inter_token_latency_ms"]["successful"]["median"],
        n_out / (ended_s - began_s),
    )


if __name__ == "__main__":
    sys.exit(main())
