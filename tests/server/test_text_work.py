"""The threads that texts are read on: bounded, fair to short texts, and nobody waits for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

import pytest
from jan_server.answers import CallerGone
from jan_server.caller import called
from jan_server.errors import ApiError
from jan_server.inference.text_work import TextWork
from litestar.types import HTTPReceiveMessage

LONG = 1 << 20


class Held:
    """Work that ends when it is told to."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.n_begun = 0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        with self._lock:
            self.n_begun += 1
        assert self.let_go.wait(20)
        return "done"


@contextmanager
def holding() -> Generator[Held]:
    held = Held()
    try:
        yield held
    finally:
        held.let_go.set()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - what is waited for happens on threads
            await asyncio.sleep(0.001)


def test_short_work_goes_on_beside_any_amount_of_long_work() -> None:
    async def check() -> None:
        work = TextWork(100)
        with holding() as held:
            long = [asyncio.create_task(work.run(held, LONG)) for _ in range(20)]
            await until(lambda: held.n_begun > 0)
            for _ in range(10):
                assert await work.run(lambda: "short", 10) == "short"
            assert held.n_begun < 20
            held.let_go.set()
            assert await asyncio.gather(*long) == ["done"] * 20
        assert not work.n_waiting

    asyncio.run(check())


def test_more_than_may_wait_is_refused() -> None:
    async def check() -> None:
        work = TextWork(0)
        with holding() as held:
            waiting = [asyncio.create_task(work.run(held, 1, is_slow=True)) for _ in range(200)]
            await until(lambda: sum(one.done() for one in waiting) > 0)
            await asyncio.sleep(0)
            refused = [one.exception() for one in waiting if one.done()]
            assert 200 - 64 - 8 <= len(refused) <= 200 - 64
            (first, *_) = refused
            assert isinstance(first, ApiError)
            assert (first.status, first.code) == (503, "server_overloaded")
            assert int(first.headers["Retry-After"]) >= 1
            held.let_go.set()
            await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(check())


def test_texts_that_wait_are_bounded_in_bytes() -> None:
    async def check() -> None:
        work = TextWork(1000)
        with holding() as held:
            waiting = [asyncio.create_task(work.run(held, 30 << 20)) for _ in range(40)]
            await until(lambda: any(one.done() for one in waiting))
            assert work.n_waiting <= 2
            held.let_go.set()
            await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(check())


def test_what_nobody_waits_for_any_more_never_begins() -> None:
    async def check() -> None:
        work = TextWork(100)
        gone = asyncio.Event()

        async def receive() -> HTTPReceiveMessage:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def ask(job: Callable[[], str]) -> str:
            called(receive)
            return await work.run(job, LONG)

        with holding() as held:
            others = [asyncio.create_task(work.run(held, LONG)) for _ in range(20)]
            await until(lambda: held.n_begun > 0)
            abandoned = Held()
            leaving = asyncio.create_task(ask(abandoned))
            await until(lambda: work.n_waiting >= 20 - held.n_begun + 1)
            gone.set()
            with pytest.raises(CallerGone):
                await leaving
            held.let_go.set()
            await asyncio.gather(*others)
        assert abandoned.n_begun == 0

    asyncio.run(check())


def test_closing_tells_whoever_waits_and_waits_for_nobody() -> None:
    async def check() -> None:
        work = TextWork(100)
        with holding() as held:
            asking: list[Awaitable[str]] = [
                asyncio.create_task(work.run(held, LONG)) for _ in range(20)
            ]
            await until(lambda: held.n_begun > 0)
            work.close()
            for one in asking:
                with pytest.raises(ApiError, match="about to end"):
                    await one
            assert work.is_busy
            with pytest.raises(ApiError, match="about to end"):
                await work.run(held, 1)
        await until(lambda: not work.is_busy)

    asyncio.run(check())


def test_what_work_raises_comes_to_whoever_asked() -> None:
    def fail() -> None:
        raise ValueError("a text that cannot be")

    async def check() -> None:
        with pytest.raises(ValueError, match="cannot be"):
            await TextWork(10).run(fail, 10)

    asyncio.run(check())
