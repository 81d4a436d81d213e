"""A server in a process of its own, asked over loopback with as thin a client as can be."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from typing import Any

from bench.serving.load import Answer, Ask

__all__ = ["HttpServer", "free_port"]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class HttpServer:
    """What differs between servers: how one is started, asked and understood."""

    PATH: str
    READY: str

    def __init__(self, name: str, command: Sequence[str], port: int) -> None:
        """Returns when it answers."""
        self.name = name
        self.port = port
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{self.READY}", timeout=1):
                    return
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError(f"{name} did not start") from None
                time.sleep(0.01)

    def fields(self, ask: Ask, stream: bool) -> dict[str, object]:
        raise NotImplementedError

    def take(self, told: dict[str, Any], answer: Answer, now: float, *, stream: bool) -> None:
        """Note what a frame says, or the whole answer."""
        raise NotImplementedError

    def run(self, asks: Sequence[Ask], *, stream: bool) -> list[Answer]:
        return asyncio.run(self._run(asks, stream))

    async def _run(self, asks: Sequence[Ask], stream: bool) -> list[Answer]:
        began = time.perf_counter()
        return await asyncio.gather(*(self._one(ask, stream, began) for ask in asks))

    async def _one(self, ask: Ask, stream: bool, began: float) -> Answer:
        if ask.start_s:
            await asyncio.sleep(began + ask.start_s - time.perf_counter())
        answer = Answer(sent_s=time.perf_counter() - began)
        body = json.dumps(self.fields(ask, stream)).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)
        head = f"POST {self.PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        if ask.cancel_s is not None:
            loop = asyncio.get_running_loop()
            loop.call_at(loop.time() + ask.cancel_s - answer.sent_s, writer.close)
        try:
            async for line in reader:
                if line.startswith((b"data: {", b"{")):
                    told = json.loads(line.removeprefix(b"data: "))
                    self.take(told, answer, time.perf_counter() - began, stream=stream)
        except ConnectionError:
            pass  # we hung up
        writer.close()
        return answer

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
