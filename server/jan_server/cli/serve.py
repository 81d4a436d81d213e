"""`jan serve MODEL`: from flags to a socket, and back out again."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn

from jan_server.app import create_app
from jan_server.cli.settings import read_settings
from jan_server.config import Settings
from jan_server.inference.served_model import ServedModel

__all__ = ["serve"]

_GRACE_S = 5  # for connections to close once every request has ended


class _Server(uvicorn.Server):
    """uvicorn, with signals that are ours."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def serve(arguments: list[str]) -> int:
    """0 after a signal to end; 1 and one line where the port is taken or the model unreadable."""
    settings = read_settings(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        listening = _listen(settings.host, settings.port)
    except OSError as error:
        return _failed(_why_not(error, settings))
    served = ServedModel(settings)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run(served, listening))
    return _failed(str(served.failure)) if served.failure is not None else 0


async def _run(served: ServedModel, listening: socket.socket) -> None:
    settings = served.settings
    port = listening.getsockname()[1]

    def on_loaded() -> None:
        if served.failure is not None:
            server.should_exit = True
        else:
            _say(_banner(served, port))

    config = uvicorn.Config(
        create_app(served, on_loaded=on_loaded),
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=settings.verbose,
        server_header=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=int(settings.shutdown_timeout) + _GRACE_S,
    )
    server = _Server(config)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    _end_on_signals(server, served)
    _say(f"loading {served.path}")
    await server.serve(sockets=[listening])


def _end_on_signals(server: uvicorn.Server, served: ServedModel) -> None:
    """The first lets requests come to their end for a while, the second ends them, the third us."""
    loop = asyncio.get_running_loop()
    n_signals = 0
    closing: set[asyncio.Task[None]] = set()

    def end_requests() -> None:
        closing.add(loop.create_task(served.close()))

    def on_signal() -> None:
        nonlocal n_signals
        n_signals += 1
        served.draining = True
        server.should_exit = True
        if n_signals == 1:
            timeout_s = served.settings.shutdown_timeout
            _say(f"ending, within {timeout_s:g} s; once more to end at once")
            loop.call_later(timeout_s, end_requests)
        elif n_signals == 2:
            end_requests()
        else:
            os._exit(130)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)


def _listen(host: str, port: int) -> socket.socket:
    """Bound before the model is read, so that a port that is taken costs nobody a wait."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError:
        listening.close()
        raise
    return listening


def _why_not(error: OSError, settings: Settings) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {settings.port} on {settings.host} is in use; choose another with --port"
    return f"cannot listen on {settings.host} port {settings.port}: {error.strerror}"


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return None
    return uvloop.Loop


def _banner(served: ServedModel, port: int) -> str:
    parallel = served.settings.parallel
    host = served.settings.host
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    key = "key required" if served.settings.api_key else "no key required"
    return (
        f"{served.id}: {served.model.facts.description}, {parallel} requests side by side "
        f"of up to {served.n_ctx} tokens\n"
        f"{url}/v1, {key}"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _failed(why: str) -> int:
    _say(f"error: {why}")
    return 1
