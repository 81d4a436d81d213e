"""The figures the engine is held to, each measured on every contestant in turn."""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial

import msgspec

from bench.serving.batched_bench import ceiling
from bench.serving.llama_server import LlamaServer
from bench.serving.load import Answer, Ask, Contestant, fresh_prompts, total_s
from bench.serving.ours import Ours
from bench.serving.over_http import first_tokens, start, streaming
from bench.serving.rows import SEEDS, Row, Rows, Setup
from jan_engine import EngineOptions, KernelReason

__all__ = ["SCENARIOS"]


@contextmanager
def contestants(
    setup: Setup, n: int, n_ctx: int, *, tuned: bool = True, kernels: bool = False
) -> Generator[list[Contestant]]:
    """Ours, stock llama-server, and llama-server tuned in both cache modes.

    With `kernels` ours again with each attention kernel: the choice is one of them.
    """
    t = str(setup.n_threads)
    flags = ["-t", t, "-tb", t, "-np", str(n), "-c", str(n * n_ctx)]
    best = ["--cache-ram", "0", "-fa", "on", "-ub", "512", "-b", "512"]
    # Random weights repeat themselves as no real model does, and the others do not guess either.
    options = EngineOptions(
        n_parallel=n,
        n_ctx=n_ctx,
        n_cells=n * n_ctx,
        n_threads=setup.n_threads,
        speculation=False,
    )
    found: list[Contestant] = [Ours("jan-engine", setup.model, options)]
    if kernels:
        for name, flash in (("plain products", False), ("flash kernel", True)):
            other = msgspec.structs.replace(options, flash_attention=flash)
            found.append(Ours(f"jan-engine, {name}", setup.model, other))
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


def throughput(setup: Setup, n: int) -> Iterator[Row]:
    """n prompts of 100 tokens never seen before, 64 tokens out, all at once."""
    rows = Rows(f"throughput, {n} streams")
    with contestants(setup, n, 512, kernels=True) as found:
        note_kernel(rows, found)
        for turn in range(setup.rounds):
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
                rows.note(who, "tokens/s out", n * 64 / best.total_s)
                rows.note(who, "tokens/s out, decode alone", n * 64 / best.decode_s)
            first = turn % len(found)
            for one in found[first:] + found[:first]:
                # As llama-batched-bench does: no figure holds the waking of threads and cores.
                one.run(
                    [Ask(prompt=p, n_out=4) for p in fresh_prompts(next(SEEDS), n, 8)], stream=False
                )
                asks = [Ask(prompt=p, n_out=64) for p in fresh_prompts(next(SEEDS), n, 100)]
                began = time.monotonic()
                answers = one.run(asks, stream=False)
                assert all(answer.n_out == 64 for answer in answers)
                rows.note(one.name, "tokens/s out", n * 64 / total_s(answers))
                if isinstance(one, Ours):
                    rows.note(one.name, "tokens/s out, decode alone", decode_rate(one, began, n))
    yield from rows.found.values()


def note_kernel(rows: Rows, found: list[Contestant]) -> None:
    for one in found:
        if isinstance(one, Ours):
            kernel = one.engine.attention_kernel
            if kernel.reason is KernelReason.TIMED:
                rows.note(one.name, "1: chose the flash kernel", float(kernel.flash is True))
                rows.note(
                    one.name, "flash / plain, as timed at load", kernel.flash_s / kernel.plain_s
                )


def decode_rate(one: Ours, began: float, n: int) -> float:
    steps = [
        step
        for step in one.engine.core.trace()
        if step["start_s"] >= began and step["n_decode"] == n and not step["n_prefill"]
    ]
    took = sum(step["end_s"] - step["start_s"] for step in steps)
    return n * len(steps) / took if steps else 0.0


def holes(setup: Setup) -> Iterator[Row]:
    """32 slots of which 4 that are not neighbours stay busy, against 4 slots."""
    rows = Rows("4 busy of 32 slots")
    options = EngineOptions(n_parallel=32, n_ctx=512, n_threads=setup.n_threads, speculation=False)
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
            rows.note(one.name, "ms per step of 4", statistics.mean(steps) * 1e3)
    wide.close()
    narrow.close()
    yield from rows.found.values()


def interference(setup: Setup) -> Iterator[Row]:
    """8 decoding streams; then the same with a 4000-token prompt on the way."""
    rows = Rows("4000-token prompt among 8 streams")
    with contestants(setup, 10, 5120, tuned=False, kernels=True) as found:
        for _ in range(setup.rounds):
            for one in found:
                quiet = [Ask(prompt=p, n_out=32) for p in fresh_prompts(next(SEEDS), 8, 16)]
                alone = one.run(quiet, stream=True)
                base = statistics.median(gap for answer in alone for gap in answer.gaps_s[2:])
                lone = Ask(prompt=fresh_prompts(next(SEEDS), 1, 4000)[0], n_out=2)
                prompt_s = one.run([lone], stream=True)[0].ttft_s
                n_out = int(2.5 * prompt_s / base / 2) + 56
                asks = [
                    Ask(prompt=p, n_out=min(400, n_out)) for p in fresh_prompts(next(SEEDS), 8, 16)
                ]
                long = Ask(
                    prompt=fresh_prompts(next(SEEDS), 1, 4000)[0], n_out=2, start_s=24 * base
                )
                *streams, intruder = one.run([*asks, long], stream=True)
                until_s = intruder.token_s[0]
                gaps = sorted(
                    b - a
                    for answer in streams
                    for a, b in itertools.pairwise(answer.token_s)
                    if b > intruder.sent_s and a < until_s  # while the prompt was computed
                )
                figures = {
                    "ms between tokens, median, alone": base * 1e3,
                    "ms between tokens, p99, with the prompt": gaps[int(len(gaps) * 0.99)] * 1e3,
                    "ms between tokens, longest": gaps[-1] * 1e3,
                    "s to the first token of the prompt": intruder.ttft_s,
                }
                for what, value in figures.items():
                    rows.note(one.name, what, value)
    yield from rows.found.values()


def shared_prefix(setup: Setup) -> Iterator[Row]:
    """32 requests at once that share 1000 tokens nobody has computed yet, 16 tokens out each."""
    rows = Rows("a cold prefix shared by 32")
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
                    rows.note(one.name, what, value)
    yield from rows.found.values()


def neighbours(setup: Setup) -> Iterator[Row]:
    """8 streams, with and without a busy process for every core."""
    rows = Rows("two busy neighbours")
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
                    rows.note(one.name, what, 8 * 48 / total_s(answers))
    yield from rows.found.values()


PEOPLE = """{"type": "array", "minItems": 500, "items": {"type": "object", "properties": {
    "name": {"type": "string", "maxLength": 12}, "age": {"type": "integer"},
    "mood": {"enum": ["good", "bad", "indifferent"]},
    "likes": {"type": "array", "items": {"type": "string", "maxLength": 8}}},
    "required": ["name", "age", "mood", "likes"], "additionalProperties": false}}"""


def constrained(setup: Setup) -> Iterator[Row]:
    """8 streams, free and as JSON by a schema; random weights fit it at hardly any token."""
    rows = Rows("8 streams by a JSON schema")
    with contestants(setup, 8, 512, tuned=False) as found:
        for _ in range(setup.rounds):
            for one in found:
                for what, schema in (("free", None), ("by a schema", PEOPLE)):
                    asks = [
                        Ask(prompt=p, n_out=96, schema=schema)
                        for p in fresh_prompts(next(SEEDS), 8, 16)
                    ]
                    answers = one.run(asks, stream=False)
                    assert all(answer.n_out == 96 for answer in answers)
                    rows.note(one.name, f"tokens/s out, {what}", 8 * 96 / total_s(answers))
    yield from rows.found.values()


def cancelling(setup: Setup) -> Iterator[Row]:
    """16 of 32 streams are cancelled half-way: what do the others notice?"""
    rows = Rows("16 of 32 streams cancelled")
    options = EngineOptions(n_parallel=32, n_ctx=512, n_threads=setup.n_threads, speculation=False)
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
            rows.note(one.name, f"ms between tokens, {what}", value)
    one.close()
    yield from rows.found.values()


SCENARIOS: dict[str, Callable[[Setup], Iterator[Row]]] = {
    "throughput-1": partial(throughput, n=1),
    "throughput-8": partial(throughput, n=8),
    "throughput-32": partial(throughput, n=32),
    "holes": holes,
    "interference": interference,
    "prefix": shared_prefix,
    "neighbours": neighbours,
    "cancelling": cancelling,
    "constrained": constrained,
    "http-8": partial(streaming, n=8),
    "http-32": partial(streaming, n=32),
    "http-first": first_tokens,
    "http-start": start,
}
