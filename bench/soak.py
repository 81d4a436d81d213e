"""python -m bench.soak [--minutes 10]: everything callers do wrong, for a while.

Random submits, cancels, forgotten streams, overlong and empty prompts, full queues, against one
engine whose cache is too small. At the end no request may hold a cell, nor may memory have grown.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

from jan_engine import AsyncEngine, EngineError, EngineOptions, KvMode, Model, Request, Sampling
from tests import models


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = Model(models.write_random(Path(folder) / "random.gguf"))
        return asyncio.run(soak(model, args.minutes * 60, random.Random(args.seed)))


async def soak(model: Model, seconds: float, rng: random.Random) -> int:
    options = EngineOptions(
        n_parallel=8,
        n_ctx=512,
        n_cells=1536,
        max_waiting=16,
        kv_mode=KvMode.UNIFIED,
        check_integrity=True,
    )
    async with AsyncEngine(model, options) as engine:
        began = time.monotonic()
        grown: list[tuple[float, int]] = []
        tasks: set[asyncio.Task[None]] = set()
        n_refused = 0
        while (elapsed := time.monotonic() - began) < seconds:
            if len(tasks) < 24:
                try:
                    tasks.add(asyncio.create_task(one(engine, rng)))
                except EngineError:
                    n_refused += 1
            if tasks:
                done, tasks = await asyncio.wait(
                    tasks, timeout=0.05, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    task.result()
            if elapsed > 10 * (len(grown) + 1):
                grown.append((elapsed, resident_bytes()))
                print(f"{elapsed:5.0f} s  {grown[-1][1] / 2**20:6.1f} MiB", flush=True)
        await asyncio.gather(*tasks)
        async with asyncio.timeout(60):
            while engine.stats()["n_running"] or engine.stats()["n_waiting"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        stats = engine.stats()
        counts = {name: value for name, value in stats.items() if not isinstance(value, dict)}
        print(counts)
        later = grown[len(grown) // 3 :]  # the allocator has its arenas by then
        slope = (later[-1][1] - later[0][1]) / max(1.0, later[-1][0] - later[0][0]) if later else 0
        print(f"memory: {slope * 60 / 2**10:.1f} KiB per minute after the first third")
        held: int = stats["n_cells_running"]
        print(f"cells held by requests at the end: {held}")
        return 0 if held == 0 and stats["n_failed"] == 0 and slope * 60 < 2**20 else 1


SAMPLINGS = [
    None,
    Sampling(temperature=0.8, top_k=40, top_p=0.95, min_p=0.05),
    Sampling(repeat_penalty=1.1, repeat_last_n=-1, xtc_probability=0.5, min_tokens=5),
    Sampling(dry_multiplier=0.8, temperature=2.0),
    Sampling(mirostat=2),
]


async def one(engine: AsyncEngine, rng: random.Random) -> None:
    kind = rng.choice(["read", "read", "read", "cancel", "leave", "overlong", "empty", "salted"])
    length = 600 if kind == "overlong" else 0 if kind == "empty" else rng.randrange(1, 300)
    prefix = [models.byte_token(97)] * rng.randrange(0, 200)
    prompt = (prefix + [rng.randrange(2, 258) for _ in range(length)])[: max(length, 1)]
    request = Request(
        prompt=prompt if length else [],
        max_tokens=rng.randrange(1, 200),
        ignore_eos=rng.random() < 0.5,
        cache_prompt=rng.random() < 0.8,
        cache_salt="salt" if kind == "salted" else "",
        caller=rng.choice("abc"),
        stop=[chr(rng.randrange(32, 127))] if rng.random() < 0.3 else [],
        sampling=rng.choice(SAMPLINGS),
        shift_context=rng.random() < 0.2,
        stream=rng.random() < 0.7,
    )
    try:
        stream = engine.submit(request)
    except EngineError:
        return
    n_read = rng.randrange(1, 20)
    async for _ in stream:
        n_read -= 1
        if n_read == 0 and kind == "cancel":
            stream.cancel()
        if n_read == 0 and kind == "leave":
            return  # forgotten: the engine hears of it when the stream is collected


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


if __name__ == "__main__":
    sys.exit(main())
