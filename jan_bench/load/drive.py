"""Sends prompts, at given times or so many at once, and lets nothing of ours get in between."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager

import msgspec

from jan_bench.load.client import Client
from jan_bench.load.reply import Prompt, Reply

__all__ = ["Drive", "closed_loop", "open_loop"]

Send = Callable[[list[Reply]], Coroutine[None, None, None]]
_WATCH_S = 0.05


class Drive(msgspec.Struct, kw_only=True):
    """Of one point: all that was sent, and what that cost us."""

    replies: list[Reply]
    duration_s: float  # until the last answer
    cpu_s: float  # of this process
    lag_s: list[float] = []  # how late our own loop woke, again and again during the run
    was_interrupted: bool = False

    @property
    def cpu_share(self) -> float:
        """Of one core: at 1 it is the client that was measured."""
        return self.cpu_s / self.duration_s if self.duration_s else 0.0

    @property
    def late_s(self) -> list[float]:
        """How much after its time each request was sent."""
        return [reply.sent_s - reply.scheduled_s for reply in self.replies]


async def open_loop(
    client: Client, prompts: Sequence[Prompt], times: Sequence[float], stop: asyncio.Event
) -> Drive:
    """Each at its time, however many are waiting."""

    async def send(begun: list[Reply]) -> None:
        async with asyncio.TaskGroup() as group:
            for prompt, at_s in zip(prompts, times, strict=True):
                if (wait_s := at_s - client.now_s) > 0:
                    await asyncio.sleep(wait_s)
                reply = Reply(scheduled_s=at_s)
                begun.append(reply)
                group.create_task(client.ask(prompt, reply))

    return await _drive(client, send, stop)


async def closed_loop(
    client: Client, prompts: Sequence[Prompt], n_at_once: int, stop: asyncio.Event
) -> Drive:
    """As many at once as that; the next when one has ended."""

    async def send(begun: list[Reply]) -> None:
        waiting = iter(prompts)

        async def one_after_another() -> None:
            for prompt in waiting:
                reply = Reply(scheduled_s=client.now_s)
                begun.append(reply)
                await client.ask(prompt, reply)

        async with asyncio.TaskGroup() as group:
            for _ in range(n_at_once):
                group.create_task(one_after_another())

    return await _drive(client, send, stop)


async def _drive(client: Client, send: Send, stop: asyncio.Event) -> Drive:
    begun: list[Reply] = []
    client.restart()
    with _no_pauses():
        cpu_s = time.process_time()
        sending = asyncio.ensure_future(send(begun))
        stopping = asyncio.ensure_future(stop.wait())
        lag_s: list[float] = []
        watching = asyncio.ensure_future(_watch(lag_s))
        await asyncio.wait((sending, stopping), return_when=asyncio.FIRST_COMPLETED)
        was_interrupted = not sending.done()
        stopping.cancel()
        watching.cancel()
        if was_interrupted:
            sending.cancel()
        await asyncio.gather(sending, stopping, watching, return_exceptions=True)
        cpu_s = time.process_time() - cpu_s
    if not was_interrupted:
        sending.result()
    duration_s = max((reply.end_s for reply in begun), default=0.0)
    return Drive(
        replies=begun,
        duration_s=duration_s,
        cpu_s=cpu_s,
        lag_s=lag_s,
        was_interrupted=was_interrupted,
    )


async def _watch(lag_s: list[float]) -> None:
    """Where a frame waited for us, so did this."""
    while True:
        began_s = time.perf_counter()
        await asyncio.sleep(_WATCH_S)
        lag_s.append(time.perf_counter() - began_s - _WATCH_S)


@contextmanager
def _no_pauses() -> Generator[None]:
    """The collector would stop every stream for as long as it looks at what we have noted."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
