"""Every connection of a server: how many there may be, who gives way, and who has waited too long.

One walk through all of them each second costs less than a timer for each request.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from jan_server.connections.limits import ConnectionLimits

__all__ = ["Connection", "Connections"]

_log = logging.getLogger("jan_server")
_SAY_AGAIN_S = 60.0


class Connection(Protocol):
    deadline_s: float  # on the loop's clock: what it has to have done by then
    n_quiet: int  # bytes of a head that is not whole

    def expire(self, now_s: float) -> None: ...
    def give_way(self) -> None: ...


class Connections:
    """Belongs to one event loop."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.n_unread_bytes = 0  # of heads that are not whole
        self._all: set[Connection] = set()
        # Without a request, those that have been so for longest first. Whoever has shown a key
        # gives way after all the others.
        self._unknown: dict[Connection, None] = {}
        self._known: dict[Connection, None] = {}
        self._say_at_s = 0.0

    def __len__(self) -> int:
        return len(self._all)

    def enter(self, one: Connection, now_s: float) -> bool:
        """False where there is no place for it: everybody who is here has a request running."""
        if len(self._all) >= self.limits.n_connections:
            self._say(now_s)
            if not self._make_room():
                return False
        self._all.add(one)
        self._unknown[one] = None
        return True

    def leave(self, one: Connection) -> None:
        self._all.discard(one)
        self.busy(one)

    def busy(self, one: Connection) -> None:
        """It has a request."""
        self._unknown.pop(one, None)
        self._known.pop(one, None)

    def idle(self, one: Connection, *, is_known: bool) -> None:
        """Its request is answered. `is_known`: it came with a key."""
        (self._known if is_known else self._unknown)[one] = None

    def unread(self, n_bytes: int) -> None:
        """So many more bytes of heads that are not whole; fewer, where it is negative."""
        self.n_unread_bytes += n_bytes
        while self.n_unread_bytes > self.limits.n_unread_bytes:
            one = next((one for one in self._unknown if one.n_quiet), None)
            if one is None:
                return
            one.give_way()

    async def watch(self) -> None:
        """Until it is cancelled."""
        limits = self.limits
        shortest_s = min(limits.head_s, limits.idle_s, limits.body_s, limits.left_s)
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(1.0, shortest_s / 4))
            now_s = loop.time()
            for one in [one for one in self._all if one.deadline_s < now_s]:
                one.expire(now_s)

    def _make_room(self) -> bool:
        for waiting in (self._unknown, self._known):
            for one in waiting:
                one.give_way()
                return True
        return False

    def _say(self, now_s: float) -> None:
        if now_s < self._say_at_s:
            return
        self._say_at_s = now_s + _SAY_AGAIN_S
        _log.warning(
            "%d connections, no more are allowed (max_connections): "
            "those that have been idle for longest give way",
            len(self._all),
        )
