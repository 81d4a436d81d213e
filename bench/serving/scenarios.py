"""The figures the engine is held to, each measured on every contestant in turn."""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.serving.batched_bench import ceiling
from bench.serving.llama_server import LlamaServer
from bench.serving.load import Answer, Ask, Contestant, fresh_prompts, total_s
from bench.serving.ours import Ours
from jan_engine import EngineOptions

__all__ = ["SCENARIOS", "Row", "Setup"]

SEEDS = itertools.count(time.time_ns() % 2**32)  # llama-server keeps old prompts cached


class Setup(msgspec.Struct, frozen=True):
    model: Path
    rounds: int
    n_threads: int


class Row(msgspec.Struct):
    """One figure of one contestant: every round's value, in the unit that `what` names."""

    scenario: str
    what: str
    who: str
    values: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@contextmanager
def contestants(
    setup: Setup, n: int, n_ctx: int, *, tuned: bool = True
) -> Iterator[list[Contestant]]:
    """Ours, stock llama-server, and llama-server tuned in both cache modes."""
    t = str(setup.n_threads)
    flags = ["-t", t, "-tb", t, "-np", str(n), "-c", str(n * n_ctx)]
    best = ["--cache-ram", "0", "-fa", "on", "-ub", "512", "-b", "512"]
    options = EngineOptions(n_parallel=n, n_ctx=n_ctx, n_cells=n * n_ctx, n_threads=setup.n_threads)
    found: list[Contestant] = [Ours("jan-engine", setup.model, options)]
    found.append(LlamaServer("llama-server", setup.model, flags))
    if tuned:
        unified = [*flags, *best, "--kv-unified"]
        found.append(LlamaServer("llama-server tuned, unified", setup.model, unified))
        split = [*flags, *best, "--no-kv-unified"]
        found.append(LlamaServer("llama-server tuned, streams", setup.model, split))
    try:
        yield found
    finally:
        for one in found:
            one.close()


def throughput(setup: Setup) -> Iterator[Row]:
    """100-token prompts never seen before, 64 tokens out, all at once."""
    for n in (1, 8, 32):
        rows: dict[tuple[str, str], Row] = {}

        def note(
            who: str, what: str, value: float, n: int = n, rows: dict[tuple[str, str], Row] = rows
        ) -> None:
            row = Row(f"throughput, {n} streams", what, who, [])
            rows.setdefault((who, what), row).values.append(value)

        with contestants(setup, n, 512) as found:
            for _ in range(setup.rounds):
                for unified in (False, True):
                    best = ceiling(
                        setup.model,
                        n_streams=n,
                        n_prompt=100,
                        n_out=64,
                        n_threads=setup.n_threads,
                        unified=unified,
                    )
                    who = f"llama-batched-bench, {'unified' if unified else 'streams'}"
                    note(who, "tokens/s out", n * 64 / best.total_s)
                    note(who, "tokens/s out, decode alone", n * 64 / best.decode_s)
                for one in found:
                    asks = [Ask(prompt=p, n_out=64) for p in fresh_prompts(next(SEEDS), n, 100)]
                    began = time.monotonic()
                    answers = one.run(asks, stream=False)
                    assert all(answer.n_out == 64 for answer in answers)
                    note(one.name, "tokens/s out", n * 64 / total_s(answers))
                    if isinstance(one, Ours):
                        note(one.name, "tokens/s out, decode alone", decode_rate(one, began, n))
        yield from rows.values()


def decode_rate(one: Ours, began: float, n: int) -> float:
    steps = [
        step
        for step in one.engine.core.trace()
        if step["start_s"] >= began and step["n_decode"] == n and not step["n_prefill"]
    ]
    return n * len(steps) / sum(step["end_s"] - step["start_s"] for step in steps)


def holes(setup: Setup) -> Iterator[Row]:
    """32 slots of which 4 that are not neighbours stay busy, against 4 slots."""
    rows: dict[str, Row] = {}
    options = EngineOptions(n_parallel=32, n_ctx=512, n_threads=setup.n_threads)
    few = msgspec.structs.replace(options, n_parallel=4)
    wide, narrow = Ours("32 slots", setup.model, options), Ours("4 slots", setup.model, few)
    for _ in range(setup.rounds):
        for one, n in ((wide, 32), (narrow, 4)):
            prompts = fresh_prompts(next(SEEDS), n, 10)
            asks = [
                Ask(prompt=p, n_out=120 if n == 4 or i % 9 == 4 else 8)
                for i, p in enumerate(prompts)
            ]
            began = time.monotonic()
            one.run(asks, stream=False)
            steps = [
                step["end_s"] - step["start_s"]
                for step in one.engine.core.trace()
                if step["start_s"] >= began and step["n_decode"] == 4 and not step["n_prefill"]
            ]
            row = Row("4 busy of 32 slots", "ms per step of 4", one.name, [])
            rows.setdefault(one.name, row).values.append(statistics.mean(steps) * 1e3)
    wide.close()
    narrow.close()
    yield from rows.values()


def interference(setup: Setup) -> Iterator[Row]:
    """8 decoding streams; then the same with a 4000-token prompt on the way."""
    rows: dict[tuple[str, str], Row] = {}
    with contestants(setup, 10, 5120, tuned=False) as found:
        for _ in range(setup.rounds):
            for one in found:
                quiet = [Ask(prompt=p, n_out=32) for p in fresh_prompts(next(SEEDS), 8, 16)]
                alone = one.run(quiet, stream=True)
                base = statistics.median(gap for answer in alone for gap in answer.gaps_s[2:])
                lone = Ask(prompt=fresh_prompts(next(SEEDS), 1, 4000)[0], n_out=2)
                prompt_s = one.run([lone], stream=True)[0].ttft_s
                n_out = int(2.5 * prompt_s / base / 2) + 40
                asks = [
                    Ask(prompt=p, n_out=min(400, n_out)) for p in fresh_prompts(next(SEEDS), 8, 16)
                ]
                long = Ask(prompt=fresh_prompts(next(SEEDS), 1, 4000)[0], n_out=2, start_s=8 * base)
                *streams, intruder = one.run([*asks, long], stream=True)
                gaps = sorted(gap for answer in streams for gap in answer.gaps_s[2:])
                figures = {
                    "ms between tokens, median, alone": base * 1e3,
                    "ms between tokens, p99, with the prompt": gaps[int(len(gaps) * 0.99)] * 1e3,
                    "s to the first token of the prompt": intruder.ttft_s,
                }
                for what, value in figures.items():
                    row = Row("4000-token prompt among 8 streams", what, one.name, [])
                    rows.setdefault((one.name, what), row).values.append(value)
    yield from rows.values()


def shared_prefix(setup: Setup) -> Iterator[Row]:
    """32 requests at once that share 1000 tokens nobody has computed yet, 16 tokens out each."""
    rows: dict[tuple[str, str], Row] = {}
    with contestants(setup, 32, 1280, tuned=False) as found:
        for _ in range(setup.rounds):
            for one in found:
                prompts = fresh_prompts(next(SEEDS), 32, 1008, shared=1000)
                answers = one.run([Ask(prompt=p, n_out=16) for p in prompts], stream=False)
                figures = {
                    "s until all are answered": total_s(answers),
                    "prompt tokens computed / unique ones": sum(a.n_evaluated for a in answers)
                    / (1000 + 32 * 8),
                }
                for what, value in figures.items():
                    row = Row("a cold prefix shared by 32", what, one.name, [])
                    rows.setdefault((one.name, what), row).values.append(value)
    yield from rows.values()


def neighbours(setup: Setup) -> Iterator[Row]:
    """8 streams, with and without a busy process for every core."""
    rows: dict[tuple[str, str], Row] = {}
    with contestants(setup, 8, 512, tuned=False) as found:
        for _ in range(setup.rounds):
            for one in found:
                for what, busy in (
                    ("tokens/s out, quiet", 0),
                    ("tokens/s out, busy", os.cpu_count() or 1),
                ):
                    loops = [
                        subprocess.Popen([sys.executable, "-c", "while True: pass"])
                        for _ in range(busy)
                    ]
                    asks = [Ask(prompt=p, n_out=48) for p in fresh_prompts(next(SEEDS), 8, 16)]
                    answers = one.run(asks, stream=False)
                    for loop in loops:
                        loop.kill()
                        loop.wait()
                    row = Row("two busy neighbours", what, one.name, [])
                    rows.setdefault((one.name, what), row).values.append(8 * 48 / total_s(answers))
    yield from rows.values()


def cancelling(setup: Setup) -> Iterator[Row]:
    """16 of 32 streams are cancelled half-way: what do the others notice?"""
    rows: dict[str, Row] = {}
    options = EngineOptions(n_parallel=32, n_ctx=512, n_threads=setup.n_threads)
    one = Ours("jan-engine", setup.model, options)

    def p99(answers: list[Answer]) -> float:
        gaps = sorted(gap for answer in answers for gap in answer.gaps_s[4:])
        return gaps[int(len(gaps) * 0.99)] * 1e3

    for _ in range(setup.rounds):
        prompts = fresh_prompts(next(SEEDS), 32, 8)
        calm = one.run([Ask(prompt=p, n_out=64) for p in prompts], stream=True)
        half_s = total_s(calm) / 2
        prompts = fresh_prompts(next(SEEDS), 32, 8)
        asks = [
            Ask(prompt=p, n_out=64, cancel_s=half_s if i % 2 else None)
            for i, p in enumerate(prompts)
        ]
        rest = [answer for i, answer in enumerate(one.run(asks, stream=True)) if i % 2 == 0]
        for what, value in (("p99, none cancelled", p99(calm)), ("p99, 16 cancelled", p99(rest))):
            row = Row("16 of 32 streams cancelled", f"ms between tokens, {what}", one.name, [])
            rows.setdefault(what, row).values.append(value)
    one.close()
    yield from rows.values()


SCENARIOS: dict[str, Callable[[Setup], Iterator[Row]]] = {
    "throughput": throughput,
    "holes": holes,
    "interference": interference,
    "prefix": shared_prefix,
    "neighbours": neighbours,
    "cancelling": cancelling,
}
