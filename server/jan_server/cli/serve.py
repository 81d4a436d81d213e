"""`jan serve [MODEL]`: from flags to a socket and a model that loads."""

from __future__ import annotations

import errno
import logging
import os
import socket
import ssl
import sys

from jan_engine import build_info
from jan_server.cli.named import with_file
from jan_server.cli.say import say
from jan_server.cli.settings import read_settings
from jan_server.config import Settings
from jan_server.connections.files import raise_file_limit
from jan_server.errors import ApiError
from jan_server.inference.pool import Pool
from jan_server.telemetry.log import start_logging
from jan_server.telemetry.observer import Observer
from jan_server.telemetry.trace import open_tracer

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    """0 after a signal to end; 1 and one line where the port is taken or the model unreadable."""
    settings = read_settings(arguments)
    start_logging(settings.log_format, settings.log_level)
    try:
        settings = with_file(settings)
    except ApiError as error:
        return _failed(error.message)
    try:
        observer = _observer(settings)
    except ImportError:
        return _failed("otlp_endpoint: spans need the extra otel: pip install 'jan-engine[otel]'")
    if (why := _unreadable_certificate(settings)) is not None:
        return _failed(why)
    raise_file_limit()
    try:
        listening = _listen_on_all(settings)
    except _CannotListen as error:
        return _failed(str(error))
    pool = Pool(settings, with_demo=True)
    pool.begin()
    # The web packages take as long to import as a small model to load: side by side.
    from jan_server.cli.running import run_server

    run_server(pool, listening, observer)
    if observer.tracer is not None:
        observer.tracer.close()
    status = _failed(str(pool.failure)) if pool.failure is not None else 0
    if pool.text_work.is_busy:
        # With a text that nobody waits for: it would go on in libraries that are being torn down.
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


class _CannotListen(Exception):
    """Says where, and why not."""


def _listen_on_all(settings: Settings) -> list[socket.socket]:
    listening: list[socket.socket] = []
    for port in dict.fromkeys(settings.port):
        try:
            listening.append(_listen(settings.host, port))
        except OSError as error:
            for one in listening:
                one.close()
            raise _CannotListen(_why_not(error, settings.host, port)) from None
    return listening


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


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use; choose another with --port"
    return f"cannot listen on {host} port {port}: {error.strerror}"


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


def _failed(why: str) -> int:
    say(f"error: {why}")
    return 1
