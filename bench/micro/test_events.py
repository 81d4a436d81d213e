"""What a step's events cost in Python, from the pump to 64 readers. Informational.

Divide by 64 for one token of one stream. The native half of the way is in tests/csrc/bench_engine.
"""

from __future__ import annotations

import asyncio

import pytest

from bench.micro.test_first_floor import Benchmark
from jan_engine.stream import Stream
from jan_engine.types import Told, read_event

pytestmark = pytest.mark.informational
N_STREAMS = 64


def test_a_step_of_64_streams_reaches_their_readers(benchmark: Benchmark) -> None:
    told: list[Told] = [(i, "word", [1000 + i], [], None, None, None) for i in range(N_STREAMS)]
    n_read = 0

    async def read(stream: Stream) -> None:
        nonlocal n_read
        async for _ in stream:
            n_read += 1

    loop = asyncio.new_event_loop()
    streams = [Stream(loop, lambda: None) for _ in told]
    readers = [loop.create_task(read(stream)) for stream in streams]

    def step() -> None:
        for stream, record in zip(streams, told, strict=True):
            stream.deliver(read_event(record))
        while n_read % N_STREAMS or not n_read:
            loop.call_soon(loop.stop)
            loop.run_forever()

    def whole_step() -> None:
        nonlocal n_read
        n_read = 0
        step()

    loop.call_soon(loop.stop)
    loop.run_forever()  # every reader waits
    benchmark.pedantic(whole_step, rounds=300, warmup_rounds=20)
    for reader in readers:
        reader.cancel()
    loop.run_until_complete(asyncio.gather(*readers, return_exceptions=True))
    loop.close()
