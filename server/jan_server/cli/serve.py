"""`jan serve MODEL`: from flags to a socket, and back out again."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress

import uvicorn

from jan_engine import build_info
from jan_server.app import create_app
from jan_server.cli.settings import read_settings
from jan_server.config import Settings
from jan_server.inference.served_model import ServedModel
from jan_server.telemetry.log import start_logging
from jan_server.telemetry.observer import Observer
from jan_server.telemetry.pulse import tell_pulse
from jan_server.telemetry.trace import open_tracer

__all__ = ["serve"]

_PULSE_S = 10.0
_GRACE_S = 5  # for connections to close once every request has ended


class _Server(uvicorn.Server):
    """uvicorn, with signals that are ours."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def serve(arguments: list[str]) -> int:
    """0 after a signal to end; 1 and one line where the port is taken or the model unreadable."""
    settings = read_settings(arguments)
    start_logging(settings.log_format, settings.log_level)
    try:
        observer = _observer(settings)
    except ImportError:
        return _failed("otlp_endpoint: spans need the extra otel: pip install 'jan-engine[otel]'")
    if (why := _unreadable_certificate(settings)) is not None:
        return _failed(why)
    try:
        listening = _listen(settings.host, settings.port)
    except OSError as error:
        return _failed(_why_not(error, settings))
    served = ServedModel(settings)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run(served, listening, observer))
    if observer.tracer is not None:
        observer.tracer.close()
    return _failed(str(served.failure)) if served.failure is not None else 0


async def _run(served: ServedModel, listening: socket.socket, observer: Observer) -> None:
    settings = served.settings
    port = listening.getsockname()[1]

    def on_loaded() -> None:
        if served.failure is not None:
            server.should_exit = True
        else:
            _say(_banner(served, port))

    config = uvicorn.Config(
        create_app(served, on_loaded=on_loaded, observer=observer),
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # entry.py has its own
        ssl_certfile=settings.ssl_certfile or None,
        ssl_keyfile=settings.ssl_keyfile or None,
        ssl_keyfile_password=settings.ssl_keyfile_password or None,
        server_header=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=int(settings.shutdown_timeout) + _GRACE_S,
    )
    server = _Server(config)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    _end_on_signals(server, served, observer)
    _say(f"loading {served.path}")
    pulse = asyncio.create_task(tell_pulse(served.stats, _PULSE_S))
    try:
        await server.serve(sockets=[listening])
    finally:
        pulse.cancel()


def _end_on_signals(server: uvicorn.Server, served: ServedModel, observer: Observer) -> None:
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
        await served.close()

    def end(timeout_s: float) -> None:
        ending.add(loop.create_task(drain(timeout_s)))

    def on_signal() -> None:
        nonlocal n_signals
        n_signals += 1
        served.draining = True
        if n_signals == 1:
            timeout_s = served.settings.shutdown_timeout
            if not observer.idle.is_set():
                _say(f"ending, within {timeout_s:g} s; once more to end at once")
            end(timeout_s)
        elif n_signals == 2:
            end(0)
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


def _observer(settings: Settings) -> Observer:
    """Raises ImportError where spans are wanted and cannot be made."""
    tracer = None
    if settings.otlp_endpoint:
        version = build_info().version
        tracer = open_tracer(settings.otlp_endpoint, service="jan-engine", version=version)
    return Observer(logs=settings.log_requests, tracer=tracer)


def _unreadable_certificate(settings: Settings) -> str | None:
    """Why HTTPS cannot be served, if it is wanted and cannot."""
    if not settings.ssl_certfile:
        return "ssl_certfile: is missing beside the key" if settings.ssl_keyfile else None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            settings.ssl_certfile,
            settings.ssl_keyfile or None,
            lambda: settings.ssl_keyfile_password,  # never ask on the terminal
        )
    except (OSError, ssl.SSLError) as error:
        return f"ssl_certfile: {error.strerror or error}"
    return None


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return None
    return uvloop.Loop


def _banner(served: ServedModel, port: int) -> str:
    parallel = served.settings.parallel
    host = served.settings.host
    scheme = "https" if served.settings.ssl_certfile else "http"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
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
