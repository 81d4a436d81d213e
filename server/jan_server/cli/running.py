"""A server from its first connection to its last."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress

from jan_server.app import create_app
from jan_server.cli.say import say
from jan_server.cli.store import read_models
from jan_server.connections.server import Server, server_of
from jan_server.demo import DEMO_ID
from jan_server.inference.pool import Pool
from jan_server.security.key_file import KEY_FILE
from jan_server.telemetry.observer import Observer
from jan_server.telemetry.pulse import tell_pulse

__all__ = ["run_server"]

_PULSE_S = 10.0


def run_server(pool: Pool, listening: Sequence[socket.socket], observer: Observer) -> None:
    """Until a signal ends it, or the model does not load."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run(pool, listening, observer))


async def _run(pool: Pool, listening: Sequence[socket.socket], observer: Observer) -> None:
    settings = pool.settings
    ports = [one.getsockname()[1] for one in listening]

    def on_loaded() -> None:
        if pool.failure is not None:
            server.should_exit = True
        else:
            say(_banner(pool, ports))

    server = server_of(create_app(pool, on_loaded=on_loaded, observer=observer), settings)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    _end_on_signals(server, pool, observer)
    if pool.only is not None:
        say(f"loading {pool.only.served.path}")
    pulse = asyncio.create_task(tell_pulse(pool.stats, _PULSE_S))
    try:
        await server.serve(sockets=list(listening))
    finally:
        pulse.cancel()


def _end_on_signals(server: Server, pool: Pool, observer: Observer) -> None:
    """The first lets requests come to their end for a while, the second ends them, the third us."""
    loop = asyncio.get_running_loop()
    n_signals = 0
    ending: set[asyncio.Task[None]] = set()

    async def drain(timeout_s: float) -> None:
        """Whoever asks meanwhile is told to go elsewhere, not met with a closed door."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await observer.idle.wait()
        server.should_exit = True
        await pool.close()

    def end(timeout_s: float) -> None:
        ending.add(loop.create_task(drain(timeout_s)))

    def on_signal() -> None:
        nonlocal n_signals
        n_signals += 1
        pool.drain()
        if n_signals == 1:
            timeout_s = pool.settings.shutdown_timeout
            if not observer.idle.is_set():
                say(f"ending, within {timeout_s:g} s; once more to end at once")
            end(timeout_s)
        elif n_signals == 2:
            end(0)
        else:
            os._exit(130)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return None
    return uvloop.Loop


def _banner(pool: Pool, ports: Sequence[int]) -> str:
    settings = pool.settings
    scheme = "https" if settings.ssl_certfile else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    addresses = [f"{scheme}://{host}:{port}/v1" for port in ports]
    has_keys = settings.api_key or (pool.home / KEY_FILE).exists()
    key = "key required" if has_keys else "no key required"
    return f"{_what_is_served(pool)}\n{', '.join(addresses)}, {key}"


def _what_is_served(pool: Pool) -> str:
    settings = pool.settings
    if pool.only is None:
        library = pool.library.opened
        if library is not None and not read_models(library.root):
            return (
                f"no models yet but {DEMO_ID}, a very small one of our own; `jan pull` gets others"
            )
        most = f"{settings.models_max} at a time" if settings.models_max else "any number at a time"
        return f"every model that `jan list` shows, {most}; `jan pull` gets more"
    served = pool.only.served
    size = served.model.metadata.get("general.size_label", "?B")
    what = served.model.facts.description.replace("?B", size)  # where llama.cpp has no name for it
    return (
        f"{served.id}: {what}, {settings.parallel} requests side by side "
        f"of up to {served.n_ctx} tokens"
    )
