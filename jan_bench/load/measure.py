"""Measures a server under one load after the other."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping, Sequence
from datetime import datetime
from functools import partial

import msgspec

from jan_bench.load.calibration import Scale, calibrate
from jan_bench.load.client import Client
from jan_bench.load.dataset import Dataset, prompts_of
from jan_bench.load.drive import Drive, closed_loop, open_loop
from jan_bench.load.endpoint import Endpoint
from jan_bench.load.metrics import Metrics, metrics_of
from jan_bench.load.schedule import arrival_times
from jan_bench.load.token_count import TokenCounter, find_token_counter

__all__ = ["Load", "Measured", "Point", "measure", "run_in_loop"]


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two is given."""

    rate: float | None = None  # requests per second: an open loop
    concurrency: int | None = None  # requests at once: a closed one

    def __str__(self) -> str:
        return (
            f"{self.rate:g} requests/s" if self.rate is not None else f"{self.concurrency} at once"
        )


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides what is sent."""

    dataset: Dataset
    points: Sequence[Point]
    n_prompts: int | None = None  # of each point; None: as many as it takes to see something
    n_warmup: int = 2
    burstiness: float = 1.0
    seed: int = 0
    timeout_s: float = 600.0
    goodput: Mapping[str, float] = {}
    n_repeats: int = 1  # of every point

    def n_prompts_of(self, point: Point) -> int:
        if self.n_prompts is not None:
            return self.n_prompts
        if point.concurrency is not None:
            return max(16, 8 * point.concurrency)
        assert point.rate is not None
        return 100 if point.rate == float("inf") else max(16, round(30 * point.rate))

    def seed_of(self, point: Point, repeat: int = 1) -> str:
        """No two points share prompts, nor repeats of one: none finds another's in a cache."""
        return f"{self.seed}, {point}" + (f", repeat {repeat}" if repeat > 1 else "")

    @property
    def cache_policy(self) -> str:
        match self.dataset.name:
            case "random":
                return "prompts of one point share nothing with one another or another point's"
            case "prefix_repetition":
                return (
                    f"{self.dataset.n_prefixes} beginnings of {self.dataset.n_prefix} tokens per "
                    "point, shared by its prompts and no other's"
                )
            case _:
                return "prompts of a file, in another order at each point: some may repeat"


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    point: Point
    repeat: int  # from 1
    n_prompts: int
    lengths_by: str  # who says how long a file's texts are: a path of the server's, if it has one
    n_fixed: float  # tokens that every prompt has: a beginning, a chat template
    drive: Drive
    metrics: Metrics


OnPoint = Callable[[Measured], None]
OnProgress = Callable[[Point, int, int], None]  # of how many, how many have ended


async def measure(
    endpoint: Endpoint,
    load: Load,
    on_point: OnPoint,
    on_progress: OnProgress | None = None,
    *,
    scale: Scale | None = None,
) -> bool:
    """Point by point, and again for every repeat: what the machine does for a while befalls all
    points. False where somebody interrupted it: the point that ran then was told as far as it came.
    Raises Unavailable where the server refuses even the first request. It is asked how long words
    are there, unless `scale` says so.
    """
    client = Client(endpoint, load.timeout_s)
    counter: TokenCounter | None = None
    stop = asyncio.Event()
    with _until_interrupted(stop):
        try:
            scale = scale or await calibrate(client, str(load.seed))
            if load.dataset.name == "sharegpt":
                counter = await asyncio.to_thread(find_token_counter, endpoint)
            for repeat, point in itertools.product(range(1, load.n_repeats + 1), load.points):
                if stop.is_set():
                    return False
                taking = _measure_point(
                    client, load, point, repeat, scale, counter, stop, on_progress
                )
                on_point(await taking)
        finally:
            client.close()
    return not stop.is_set()


async def _measure_point(
    client: Client,
    load: Load,
    point: Point,
    repeat: int,
    scale: Scale,
    counter: TokenCounter | None,
    stop: asyncio.Event,
    on_progress: OnProgress | None,
) -> Measured:
    n = load.n_prompts_of(point)
    seed = load.seed_of(point, repeat)
    count = counter.count if counter else None
    prompts = await asyncio.to_thread(prompts_of, load.dataset, n, seed, scale, count)
    if load.n_warmup:
        warming = await asyncio.to_thread(
            prompts_of, load.dataset, load.n_warmup, f"{seed}, warm-up", scale, count
        )
        await closed_loop(client, warming, min(load.n_warmup, point.concurrency or 1), stop)
    at = datetime.now().astimezone()
    if point.concurrency is not None:
        running = closed_loop(client, prompts, point.concurrency, stop)
    else:
        assert point.rate is not None
        rng = random.Random(f"{seed}, times")
        times = arrival_times(n, point.rate, load.burstiness, rng)
        running = open_loop(client, prompts, times, stop)
    async with _told(client, partial(on_progress, point, n) if on_progress else None):
        drive = await running
    metrics = metrics_of(drive, load.goodput)
    return Measured(
        at=at,
        point=point,
        repeat=repeat,
        n_prompts=n,
        lengths_by=_lengths_by(load.dataset, counter),
        n_fixed=scale.n_fixed,
        drive=drive,
        metrics=metrics,
    )


def _lengths_by(dataset: Dataset, counter: TokenCounter | None) -> str:
    match dataset.name:
        case "sharegpt":
            return counter.path if counter else "estimate"
        case "jsonl":
            return "file"
        case _:
            return "calibration"


@contextlib.asynccontextmanager
async def _told(client: Client, tell: Callable[[int], None] | None) -> AsyncGenerator[None]:
    """Twice a second, which costs nothing that could be measured."""

    async def tell_on(tell: Callable[[int], None]) -> None:
        while True:
            await asyncio.sleep(0.5)
            tell(client.n_ended)

    telling = asyncio.ensure_future(tell_on(tell)) if tell else None
    try:
        yield
    finally:
        if telling is not None:
            telling.cancel()


@contextlib.contextmanager
def _until_interrupted(stop: asyncio.Event) -> Generator[None]:
    """Ctrl-C ends the run, not the program: what there is by then is worth telling."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGINT, stop.set)
    except (
        NotImplementedError,
        RuntimeError,
        ValueError,
    ):  # another system, or not the main thread
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def run_in_loop(work: Coroutine[None, None, bool]) -> bool:
    """On uvloop where there is one: half the time per frame."""
    factory = None
    if sys.platform != "win32":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)
