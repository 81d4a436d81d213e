"""A server whose every delay is known: what a client measures of it has to be that."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["Answer", "Peer", "Script", "peer", "steady"]


class Answer:
    """One answer on its way. What a script does with it is what a client sees."""

    def __init__(self, body: dict[str, Any], number: int, writer: asyncio.StreamWriter) -> None:
        self.body = body
        self.number = number  # of the requests since the peer began
        self.writer = writer
        self.is_last = False  # of its connection

    def begin(self, status: int = 200, kind: str = "text/event-stream") -> None:
        head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked"
        if self.is_last:
            head += "\r\nConnection: close"
        self.writer.write(f"{head}\r\n\r\n".encode())

    def bytes(self, data: bytes) -> None:
        self.writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def say(self, frame: object) -> None:
        self.bytes(f"data: {json.dumps(frame)}\n\n".encode())

    def token(self, text: str = " word", finish: str | None = None) -> None:
        self.say({"choices": [{"index": 0, "text": text, "finish_reason": finish}]})

    def delta(self, finish: str | None = None, **delta: object) -> None:
        self.say({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    def usage(self, n_output: int, n_input: int | None = None) -> None:
        if n_input is None:
            n_input = len(self.body["prompt"].split()) if "prompt" in self.body else 5
        usage = {"prompt_tokens": n_input, "completion_tokens": n_output}
        self.say({"choices": [], "usage": usage})

    def end(self) -> None:
        self.bytes(b"data: [DONE]\n\n")
        self.writer.write(b"0\r\n\r\n")

    def refuse(self, status: int, text: str = '{"error": {"message": "no"}}') -> None:
        self.begin(status, "application/json")
        self.bytes(text.encode())
        self.writer.write(b"0\r\n\r\n")


Script = Callable[[Answer], Awaitable[None]]


def steady(first_s: float, each_s: float) -> Script:
    """As many tokens as were asked for: the first after one time, each further after the other."""

    async def script(answer: Answer) -> None:
        n = answer.body.get("max_tokens") or answer.body["max_completion_tokens"]
        answer.begin()
        await asyncio.sleep(first_s)
        answer.token()
        for i in range(1, n):
            await asyncio.sleep(each_s)
            answer.token(finish="length" if i == n - 1 else None)
        answer.usage(n)
        answer.end()

    return script


TOLD: dict[str, Any] = {
    "/v1/models": {"data": [{"id": "the-first"}, {"id": "another"}]},
    "/props": {"total_slots": 3, "chat_template": "{{ long }}" * 50},
}


class Peer:
    def __init__(self, script: Script) -> None:
        self.script = script
        self.url = ""
        self.bodies: list[dict[str, Any]] = []
        self.heads: list[str] = []
        self.came_s: list[float] = []  # of perf_counter
        self.n_connections = 0
        self.counts_at: tuple[str, str] | None = None  # the path, and the field of a text
        self.counted: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.n_connections += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while not writer.is_closing():
                    await self._answer(reader, writer)
        finally:  # the peer may end while it says something
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if head.startswith("GET"):
            told: dict[str, Any] = {
                "/v1/models": {"data": [{"id": "the-first"}, {"id": "another"}]}
            }
            told["/props"] = {"total_slots": 3, "chat_template": "{{ long }}" * 50}
            text = json.dumps(told.get(head.split()[1], {}))  # of its health, too
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n".encode())
            writer.write(f"Connection: close\r\n\r\n{text}".encode())
            writer.close()
            return
        length = int(head.lower().partition("content-length:")[2].split()[0])
        body = json.loads(await reader.readexactly(length))
        if "completions" not in head.partition("\r")[0]:
            self._count(head.split()[1], body, writer)
            return
        self.came_s.append(time.perf_counter())
        self.heads.append(head)
        self.bodies.append(body)
        await self.script(Answer(body, len(self.bodies) - 1, writer))
        await writer.drain()

    def _count(self, path: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        """Two tokens a word, in the words of whoever has the path."""
        status, told = "404 Not Found", "{}"
        if self.counts_at is not None and path == self.counts_at[0]:
            text = str(body.get(self.counts_at[1], ""))
            self.counted.append(text)
            n = 2 * len(text.split())
            counted = {"count": n} if path.endswith("/count") else {"tokens": list(range(n))}
            status, told = "200 OK", json.dumps(counted)
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(told)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n{told}".encode())
        writer.close()


@contextmanager
def peer(script: Script) -> Generator[Peer]:
    """On a thread and a loop of its own."""
    found = Peer(script)
    is_up = threading.Event()
    ends: list[Callable[[], object]] = []

    async def serve() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
        found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ends.append(lambda: loop.call_soon_threadsafe(stop.set))
        is_up.set()
        await stop.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert is_up.wait(10)
    try:
        yield found
    finally:
        ends[0]()
        thread.join(10)
        assert not thread.is_alive()
