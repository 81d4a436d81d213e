"""Answers that their callers fetch later: `Prefer: respond-async` (RFC 7240).

They are kept in memory: so many, for so long, each for the caller that asked for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

import msgspec
from litestar.types import Receive, Scope, Send

from jan_server.answers import CallerGone, send_json
from jan_server.errors import ApiError

__all__ = ["Accepted", "DeferredAnswers", "DeferredHead", "prefers_async"]

_MOST = 1000  # answers, those that are made included
_MOST_BYTES = 64 * 1024 * 1024  # of those that are made
_KEPT_S = 3600.0  # after an answer is there


class DeferredHead(msgspec.Struct, kw_only=True):
    """What is known of an answer before it is there."""

    id: str
    object: str
    created: int
    model: str
    choices: list[str] = []
    status: str = "queued"


class _Deferred:
    def __init__(self, head: DeferredHead, tenant: str, leave: Callable[[], None]) -> None:
        self.head = head
        self.tenant = tenant
        self.leave = leave
        self.body = b""  # once it is there
        self.failure: ApiError | None = None
        self.ended_s: float | None = None  # on time.monotonic's clock


def prefers_async(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    given = b",".join(value for name, value in headers if name.lower() == b"prefer")
    return b"respond-async" in (one.split(b";")[0].strip().lower() for one in given.split(b","))


class Accepted:
    """202: where the answer will be."""

    def __init__(self, head: DeferredHead) -> None:
        self._head = head

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {
            "Location": f"/v1/responses/{self._head.id}",
            "Preference-Applied": "respond-async",
        }
        await send_json(send, msgspec.json.encode(self._head), status=202, headers=headers)


class DeferredAnswers:
    """Belongs to the event loop."""

    def __init__(self, *, most: int = _MOST, kept_s: float = _KEPT_S) -> None:
        self._most = most
        self._kept_s = kept_s
        self._all: dict[str, _Deferred] = {}  # in the order they came
        self._tasks: set[asyncio.Task[None]] = set()

    def add(
        self,
        head: DeferredHead,
        tenant: str,
        work: Callable[[], Awaitable[bytes]],
        leave: Callable[[], None],
        explain: Callable[[Exception], ApiError],
    ) -> asyncio.Task[None]:
        """Begin to make it. Raises 503 where as many are being made as may be kept; older ones that
        are there give way. `leave` ends the work, which then raises CallerGone.
        """
        self._drop_old()
        if len(self._all) >= self._most and not self._drop_first_made():
            leave()
            message = "Too many answers are being made for callers that fetch them later"
            raise ApiError(503, "server_overloaded", message, headers={"Retry-After": "5"})
        deferred = self._all[head.id] = _Deferred(head, tenant, leave)
        task = asyncio.get_running_loop().create_task(self._make(deferred, work, explain))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def get(self, answer_id: str, tenant: str) -> bytes:
        """The answer, or its head while it is made. Raises 404, also for another caller's, and what
        the answer failed with.
        """
        deferred = self._of(answer_id, tenant)
        if deferred.failure is not None:
            raise deferred.failure
        if deferred.ended_s is None:
            return msgspec.json.encode(msgspec.structs.replace(deferred.head, status="in_progress"))
        return deferred.body

    def remove(self, answer_id: str, tenant: str) -> None:
        """Forget it, and end its making. Raises 404 like `get`."""
        deferred = self._of(answer_id, tenant)
        del self._all[answer_id]
        deferred.leave()

    async def close(self) -> None:
        for deferred in self._all.values():
            deferred.leave()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    async def _make(
        self,
        deferred: _Deferred,
        work: Callable[[], Awaitable[bytes]],
        explain: Callable[[Exception], ApiError],
    ) -> None:
        try:
            body = await work()
            deferred.body = body[:-1] + b',"status":"completed"}'
        except CallerGone:
            self._all.pop(deferred.head.id, None)
        except Exception as error:
            deferred.failure = explain(error)
        finally:
            deferred.leave()
            deferred.ended_s = time.monotonic()
        while sum(len(one.body) for one in self._all.values()) > _MOST_BYTES:
            self._drop_first_made()

    def _of(self, answer_id: str, tenant: str) -> _Deferred:
        self._drop_old()
        found = self._all.get(answer_id)
        if found is None or found.tenant != tenant:
            message = f"There is no answer '{answer_id[:100]}'"
            raise ApiError(404, "response_not_found", message)
        return found

    def _drop_old(self) -> None:
        oldest_s = time.monotonic() - self._kept_s
        for name, one in list(self._all.items()):
            if one.ended_s is not None and one.ended_s < oldest_s:
                del self._all[name]

    def _drop_first_made(self) -> bool:
        for name, one in self._all.items():
            if one.ended_s is not None:
                del self._all[name]
                return True
        return False
