"""uvicorn with bounded connections, our signals and a clock that may be wrong."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, cast

import uvicorn
from litestar.types import ASGIApp

from jan_server.config import Settings
from jan_server.connections.limits import ConnectionLimits, most_connections
from jan_server.connections.protocol import BoundedHttp
from jan_server.connections.registry import Connections

__all__ = ["Server", "server_of"]

_GRACE_S = 5  # for connections to close once every request has ended


def server_of(
    app: ASGIApp, settings: Settings, *, limits: ConnectionLimits | None = None
) -> Server:
    """`limits`: what is not said follows from the settings and from what the system allows."""
    n_connections = most_connections(settings.max_connections)
    connections = Connections(limits or ConnectionLimits(n_connections=n_connections))
    http: Any = partial(BoundedHttp, connections)  # uvicorn only calls it
    config = uvicorn.Config(
        cast("Any", app),
        http=http,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # entry.py has its own
        ssl_certfile=settings.ssl_certfile or None,
        ssl_keyfile=settings.ssl_keyfile or None,
        ssl_keyfile_password=settings.ssl_keyfile_password or None,
        server_header=False,
        timeout_graceful_shutdown=int(settings.shutdown_timeout) + _GRACE_S,
    )
    return Server(config, connections)


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        super().__init__(config)
        self.connections = connections
        self._watching: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield  # whoever runs it has ideas of their own

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._watching = asyncio.create_task(self.connections.watch())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().shutdown(sockets)
        finally:
            if self._watching is not None:
                self._watching.cancel()

    async def on_tick(self, counter: int) -> bool:
        # A year of five digits cannot be written into a Date header: the last one stays.
        with suppress(ValueError, OverflowError, OSError):
            return await super().on_tick(counter)
        return self.should_exit
