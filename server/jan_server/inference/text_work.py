"""Threads of their own for what takes as long as a text is: tokens, templates, grammars, and back.

Nothing here can be interrupted, so it must not stand in the way of anything else: what waits is
bounded, long work leaves one thread to short work, and nobody waits for these threads to end.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from jan_server.caller import while_called
from jan_server.errors import ApiError

__all__ = ["TextWork"]

T = TypeVar("T")
_MOST_THREADS = 8
_LONG_BYTES = 64 * 1024  # of text; takes some 20 ms
_FEWEST_WAITING = 64
_MOST_WAITING_BYTES = 64 * 1024 * 1024


class _Job:
    def __init__(self, work: Callable[[], Any], n_bytes: int, *, is_long: bool) -> None:
        self.work = work
        self.n_bytes = n_bytes
        self.is_long = is_long
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[Any] = self.loop.create_future()

    def run(self) -> None:
        try:
            result = self.work()
        except BaseException as error:
            self.tell(self.done.set_exception, error)
        else:
            self.tell(self.done.set_result, result)

    def tell(self, settle: Callable[[Any], None], outcome: object) -> None:
        def settle_once() -> None:
            if not self.done.done():  # whoever wanted it may have left
                settle(outcome)

        with suppress(RuntimeError):  # its loop has ended
            self.loop.call_soon_threadsafe(settle_once)


class TextWork:
    """Shared by every model of a server. `run` belongs to event loops, the rest to any thread."""

    def __init__(self, most_waiting: int) -> None:
        """`most_waiting`: jobs without a thread, beyond which one is refused; a few may always."""
        self._n_threads = max(2, min(_n_cores(), _MOST_THREADS))
        self._most_waiting = max(most_waiting, _FEWEST_WAITING)
        self._changed = threading.Condition()
        self._short: deque[_Job] = deque()
        self._long: deque[_Job] = deque()
        self._threads: list[threading.Thread] = []
        self._running: set[_Job] = set()
        self._closed = False

    @property
    def is_busy(self) -> bool:
        """A thread computes, whether anybody waits for it or not."""
        return bool(self._running)

    @property
    def n_waiting(self) -> int:
        return len(self._short) + len(self._long)

    async def run(self, work: Callable[[], T], n_bytes: int, *, is_slow: bool = False) -> T:
        """On one of the threads, for a text of so many bytes; `is_slow`: it may take a second
        whatever its text. Raises 503 where too much waits, and CallerGone once the caller has left:
        then it never begins, or its result is dropped.
        """
        job = _Job(work, n_bytes, is_long=is_slow or n_bytes > _LONG_BYTES)
        self._enter(job)
        try:
            return await while_called(job.done)
        finally:
            self._leave(job)

    def close(self) -> None:
        """Take nothing more. Whoever waits is told so; a thread that computes is let alone."""
        with self._changed:
            self._closed = True
            jobs = [*self._short, *self._long, *self._running]
            self._short.clear()
            self._long.clear()
            self._changed.notify_all()
        for job in jobs:
            job.tell(job.done.set_exception, _closed())

    def _enter(self, job: _Job) -> None:
        with self._changed:
            if self._closed:
                raise _closed()
            n_bytes = sum(one.n_bytes for one in self._long)
            is_full = self.n_waiting >= self._most_waiting or (
                bool(n_bytes) and n_bytes + job.n_bytes > _MOST_WAITING_BYTES
            )
            if is_full:
                message = f"{self.n_waiting} texts wait to be read already"
                headers = {"Retry-After": "1"}
                raise ApiError(503, "server_overloaded", message, headers=headers)
            (self._long if job.is_long else self._short).append(job)
            if len(self._threads) < self._n_threads:
                thread = threading.Thread(target=self._work, name="jan-text", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify()

    def _leave(self, job: _Job) -> None:
        job.done.cancel()
        with self._changed, suppress(ValueError):
            (self._long if job.is_long else self._short).remove(job)

    def _work(self) -> None:
        while True:
            with self._changed:
                while (job := self._next()) is None:
                    if self._closed:
                        return
                    self._changed.wait()
                self._running.add(job)
            job.run()
            with self._changed:
                self._running.discard(job)
                self._changed.notify_all()
            del job  # and with it a text

    def _next(self) -> _Job | None:
        if self._short:
            return self._short.popleft()
        n_long = sum(job.is_long for job in self._running)
        return self._long.popleft() if self._long and n_long < self._n_threads - 1 else None


def _closed() -> ApiError:
    return ApiError(
        503, "service_unavailable", "The server is about to end", headers={"Retry-After": "1"}
    )


def _n_cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
