"""What the way over HTTP costs, and how long it takes to be there."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.serving.jan_server import JanServer
from bench.serving.llama_server import LlamaServer
from bench.serving.load import Ask, Contestant, fresh_prompts, total_s
from bench.serving.ours import Ours
from bench.serving.rows import SEEDS, Row, Rows, Setup
from jan_engine import EngineOptions

__all__ = ["first_tokens", "start", "streaming"]


def streaming(setup: Setup, n: int) -> Iterator[Row]:
    """n prompts of 100 fresh tokens at once, 64 tokens out each, as server-sent events."""
    rows = Rows(f"over HTTP, {n} streams")
    found = _contestants(setup, n, 512)
    for turn in range(setup.rounds):
        first = turn % len(found)
        for one in found[first:] + found[:first]:
            one.run(_asks(n, 8, 4), stream=True)
            answers = one.run(_asks(n, 100, 64), stream=True)
            assert all(answer.n_out == 64 for answer in answers), one.name
            rows.note(one.name, "tokens/s out", n * 64 / total_s(answers))
    for one in found:
        one.close()
    yield from rows.found.values()


def first_tokens(setup: Setup) -> Iterator[Row]:
    """8 fresh prompts of 128 tokens at once: when does each have its first token?"""
    rows = Rows("first tokens of 8 prompts over HTTP")
    found = _contestants(setup, 8, 512)
    for turn in range(setup.rounds):
        first = turn % len(found)
        for one in found[first:] + found[:first]:
            one.run(_asks(8, 8, 4), stream=True)
            answers = one.run(_asks(8, 128, 2), stream=True)
            median_s = statistics.median(answer.ttft_s for answer in answers)
            rows.note(one.name, "s to the first token, median", median_s)
    for one in found:
        one.close()
    yield from rows.found.values()


def start(setup: Setup) -> Iterator[Row]:
    """From nothing to the first token, the file in the page cache; and what it holds then."""
    rows = Rows("start over HTTP")
    for _ in range(setup.rounds):
        for kind in (JanServer, LlamaServer):
            began_s = time.monotonic()
            one = _server(kind, setup, 8, 512)
            one.run(_asks(1, 8, 1), stream=True)
            rows.note(one.name, "s to the first token", time.monotonic() - began_s)
            one.run(_asks(8, 100, 32), stream=True)
            rows.note(one.name, "MiB of its own", _anonymous_mib(one.process.pid))
            one.close()
    yield from rows.found.values()


def _asks(n: int, n_prompt: int, n_out: int) -> list[Ask]:
    return [Ask(prompt=p, n_out=n_out) for p in fresh_prompts(next(SEEDS), n, n_prompt)]


def _contestants(setup: Setup, n: int, n_ctx: int) -> list[Contestant]:
    found: list[Contestant] = [Ours("in process", setup.model, _options(setup, n, n_ctx))]
    found += [_server(kind, setup, n, n_ctx) for kind in (JanServer, LlamaServer)]
    t = str(setup.n_threads)
    tuned = ["-t", t, "-tb", t, "-np", str(n), "-c", str(n * n_ctx), "--no-kv-unified"]
    tuned += ["--cache-ram", "0", "-fa", "on", "-ub", "512", "-b", "512"]
    return [*found, LlamaServer("llama-server tuned, streams", setup.model, tuned)]


def _server(
    kind: type[JanServer | LlamaServer], setup: Setup, n: int, n_ctx: int
) -> JanServer | LlamaServer:
    if kind is JanServer:
        return JanServer("jan serve", setup.model, _options(setup, n, n_ctx))
    t = str(setup.n_threads)
    flags = ["-t", t, "-tb", t, "-np", str(n), "-c", str(n * n_ctx)]
    return LlamaServer("llama-server", setup.model, flags)


def _options(setup: Setup, n: int, n_ctx: int) -> EngineOptions:
    return msgspec.structs.replace(
        EngineOptions(), n_parallel=n, n_ctx=n_ctx, n_threads=setup.n_threads, speculation=False
    )


def _anonymous_mib(pid: int) -> float:
    """What no file has: the cache, buffers, weights in another order, and the program's own."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no RssAnon: is this Linux?")
