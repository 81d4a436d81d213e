"""A server on a real socket, in a thread of the test's process."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec
from jan_server.app import create_app
from jan_server.config import Settings
from jan_server.connections.limits import ConnectionLimits
from jan_server.connections.server import server_of
from jan_server.inference.pool import Pool
from jan_server.inference.served_model import ServedModel
from jan_server.telemetry.observer import Observer


class Running:
    """A server, and requests to it."""

    def __init__(self, pool: Pool, port: int) -> None:
        self.pool = pool
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url, timeout=60)

    @property
    def served(self) -> ServedModel:
        """The one model it was started with."""
        assert self.pool.only is not None
        return self.pool.only.served

    def get(self, path: str, **further: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        return self.client.get(path, **further)

    def post(self, path: str, body: object, **further: Any) -> httpx.Response:  # noqa: ANN401
        return self.client.post(path, content=msgspec.json.encode(body), **further)

    def events(self, path: str, body: Mapping[str, object]) -> list[Any]:
        """The frames of a stream, and the text "[DONE]" where it came."""
        answer = self.post(path, {**body, "stream": True})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/event-stream")
        return read_frames(answer.text)

    def until(self, is_so: Callable[[dict[str, Any]], bool]) -> None:
        """Wait for the engine's counters."""
        end = time.monotonic() + 20
        while not is_so(self.served.engine.stats()):
            assert time.monotonic() < end, "it never came to be"
            time.sleep(0.002)


def read_frames(text: str) -> list[Any]:
    frames: list[Any] = []
    for block in text.split("\n\n"):
        if block.startswith("data: "):
            data = block.removeprefix("data: ")
            frames.append(data if data == "[DONE]" else msgspec.json.decode(data))
        else:
            assert not block or block.startswith(":"), block
    return frames


@contextmanager
def running(
    settings: Settings,
    *,
    wait: bool = True,
    observer: Observer | None = None,
    limits: ConnectionLimits | None = None,
) -> Generator[Running]:
    """`wait`: until the model is loaded."""
    home = tempfile.TemporaryDirectory()
    pool = Pool(msgspec.structs.replace(settings, home=settings.home or home.name))
    loaded = threading.Event()
    app = create_app(pool, on_loaded=loaded.set, observer=observer)
    server = server_of(
        app, msgspec.structs.replace(pool.settings, shutdown_timeout=0), limits=limits
    )
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=[[listening]])
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.002)
        if wait:
            assert loaded.wait(60)
            assert pool.failure is None
        with_client = Running(pool, listening.getsockname()[1])
        with with_client.client:
            yield with_client
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
        home.cleanup()
