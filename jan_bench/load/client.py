"""Asks one endpoint, over connections that are kept."""

from __future__ import annotations

import asyncio
import ssl
import time

from jan_bench.load.connection import Closed, Connection
from jan_bench.load.endpoint import Endpoint
from jan_bench.load.frames import AnswerReader
from jan_bench.load.reply import CANCELLED, Prompt, Reply

__all__ = ["Client"]


class Client:
    """Of one event loop. Latencies are from when it was made, or from `restart`."""

    def __init__(self, endpoint: Endpoint, timeout_s: float) -> None:
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context() if endpoint.is_tls else None
        self._idle: list[Connection] = []
        self._began_s = time.perf_counter()
        self.n_ended = 0  # requests, since the clock began

    @property
    def now_s(self) -> float:
        return time.perf_counter() - self._began_s

    def restart(self) -> None:
        """The clock begins again. Connections that are open stay of use no longer."""
        self.close()
        self._began_s = time.perf_counter()
        self.n_ended = 0

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def ask(self, prompt: Prompt, reply: Reply) -> None:
        """Fills the reply, whatever becomes of the request; where cancelled, as far as it came."""
        reply.n_asked = prompt.n_output
        request = self._endpoint.request(prompt)
        reply.sent_s = self.now_s
        reply.end_s = reply.sent_s
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._ask(request, reply)
        except TimeoutError:
            reply.outcome = "timeout"
            reply.error = f"no end within {self._timeout_s:g} s"
        except Closed:
            reply.outcome, reply.error = "connection", "closed without an answer"
        except OSError as error:
            reply.outcome, reply.error = "connection", str(error)
        self.n_ended += 1
        if not reply.is_ok and reply.outcome != CANCELLED:
            reply.end_s = max(reply.end_s, self.now_s)

    async def _ask(self, request: bytes, reply: Reply) -> None:
        """Some servers close a connection that they said they would keep, and say nothing: then a
        request that had no byte of an answer is sent once more, on a new one. Its clock runs on.
        """
        kept = self._reusable()
        if kept is not None:
            try:
                await self._over(kept, request, reply)
            except Closed:
                reply.was_resent = True
            else:
                return
        await self._over(await self._connect(), request, reply)

    async def _over(self, connection: Connection, request: bytes, reply: Reply) -> None:
        try:
            await connection.ask(request, AnswerReader(reply))
        except BaseException:
            connection.close()
            raise
        if connection.is_open:
            self._idle.append(connection)

    def _reusable(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return None

    async def _connect(self) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._began_s),
            self._endpoint.host,
            self._endpoint.port,
            ssl=self._tls,
        )
        return connection
