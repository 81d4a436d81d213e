"""Whether anybody still waits for the answer to the request that a task works for."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any, TypeVar

from litestar.types import Receive

from jan_server.answers import CallerGone

__all__ = ["called", "while_called"]

T = TypeVar("T")
_receive: ContextVar[Receive | None] = ContextVar("jan_receive", default=None)


def called(receive: Receive) -> None:
    """What the task that calls this does from now on is for the caller at that connection."""
    _receive.set(receive)


async def while_called(work: asyncio.Future[T]) -> T:
    """What comes of the work. Raises CallerGone once the caller has left. Only after the request's
    body was read: what comes of it is lost. Outside of a request nobody can leave.
    """
    receive = _receive.get()
    if receive is None:
        return await work
    leaving = asyncio.ensure_future(_until_gone(receive))
    either: set[asyncio.Future[Any]] = {work, leaving}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
    if not work.done():
        raise CallerGone
    return work.result()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
