"""Answers on their way to the socket: a whole one, or a stream of server-sent events.

Both watch the connection. A caller that goes away ends the work for its request, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from litestar.types import Receive, Scope, Send

from jan_engine.errors import Cancelled, EngineClosed
from jan_server.errors import OPENAI, ApiError, Dialect

__all__ = [
    "SEND_BODY",
    "CallerGone",
    "EventStream",
    "Frames",
    "WholeAnswer",
    "send_error",
    "send_json",
]

_log = logging.getLogger("jan_server")
_JSON = (b"content-type", b"application/json")
_EVENT_STREAM = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
# In a scope's state: the server's own `send`, past what only minds statuses.
SEND_BODY = "send_body"
_PING = b": still at it\n\n"


class CallerGone(Exception):
    """Nobody is left to answer."""


async def send_json(
    send: Send, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> None:
    encoded = [(n.lower().encode(), v.encode("latin-1")) for n, v in (headers or {}).items()]
    length = (b"content-length", str(len(body)).encode())
    await send(
        {"type": "http.response.start", "status": status, "headers": [_JSON, length, *encoded]}
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def send_error(send: Send, error: ApiError, request_id: str, dialect: Dialect) -> None:
    body = dialect.envelope(error, request_id)
    await send_json(send, body, status=error.status, headers=error.headers)


async def _watch(receive: Receive, leave: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    leave()


class WholeAnswer:
    """Sends what `work` gives. `leave` is called once the caller has gone, and `work` then raises
    CallerGone.
    """

    def __init__(self, work: Callable[[], Awaitable[bytes]], leave: Callable[[], None]) -> None:
        self._work = work
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watcher = asyncio.create_task(_watch(receive, self._leave))
        try:
            body = await self._work()
        except CallerGone:
            return
        finally:
            self._leave()
            watcher.cancel()
        await send_json(send, body)


class Frames:
    """The open end of an event stream. Its first frame decides the status, which is 200."""

    def __init__(self, send: Send, send_body: Send) -> None:
        """`send_body`: what is left of `send` once it was told the status."""
        self._send = send
        self._send_body = send_body
        self._starting = asyncio.Lock()  # several choices may come to their first frame at once
        self.n_sent = 0

    def emit(self, frame: bytes) -> Awaitable[None]:
        """Send one or several frames. Waits while the socket is full: what comes meanwhile is
        merged by the engine's stream.
        """
        if not self.n_sent:
            return self._begin(frame)
        self.n_sent += 1
        return self._send_body({"type": "http.response.body", "body": frame, "more_body": True})

    async def end(self, frame: bytes) -> None:
        if not self.n_sent:
            await self._start()
        await self._send_body({"type": "http.response.body", "body": frame, "more_body": False})

    async def _begin(self, frame: bytes) -> None:
        await self._start()
        await self.emit(frame)

    async def _start(self) -> None:
        async with self._starting:
            if not self.n_sent:
                await self._send(
                    {"type": "http.response.start", "status": 200, "headers": _EVENT_STREAM}
                )
                self.n_sent = 1

    async def ping(self, every_s: float) -> None:
        """Say something whenever there was silence, so that no proxy thinks the server is dead."""
        while True:
            n_before = self.n_sent
            await asyncio.sleep(every_s)
            if self.n_sent == n_before:
                await self.emit(_PING)


class EventStream:
    """Sends the frames of `work`. What it raises before the first of them is an ordinary error;
    later it is one more frame, in place of the end of an answer that is whole.
    """

    def __init__(
        self,
        work: Callable[[Frames], Coroutine[Any, Any, None]],
        leave: Callable[[], None],
        explain: Callable[[Exception], ApiError],
        ping_s: float,
        dialect: Dialect = OPENAI,
    ) -> None:
        self._work = work
        self._leave = leave
        self._explain = explain
        self._ping_s = ping_s
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        frames = Frames(send, scope["state"].get(SEND_BODY, send))
        # A task of its own: at each token it is woken without everybody the request came through.
        working = asyncio.create_task(self._work(frames))
        beside = [
            asyncio.create_task(_watch(receive, self._leave)),
            asyncio.create_task(frames.ping(self._ping_s)),
        ]
        last = self._dialect.end
        try:
            await working
        except CallerGone:
            return
        except Exception as error:
            if not frames.n_sent:
                raise
            reason = self._explain(error)
            if isinstance(error, (EngineClosed, Cancelled)):
                _log.info("a stream was ended before its end: %s", error)
            elif reason.status >= 500:
                _log.exception("a stream failed")
            said = self._dialect.envelope(reason, scope["state"]["request_id"])
            last = self._dialect.before_error + said + b"\n\n"
        finally:
            self._leave()
            for task in beside:
                task.cancel()
        await frames.end(last)
