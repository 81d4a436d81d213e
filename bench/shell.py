"""python -m bench.shell [--streams 64] [--rate 200]: what the HTTP shell costs per streamed token.

The server is the real one, `jan serve` in a process of its own with AsyncEngine's own pump; only
the native engine under it is a clock that says a word to every stream, all in one batch per step.
Cores and time per token are all that process used while every stream ran: kernel time, the pump
and the clock included. Who reads is another process and not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
from jan_server.cli.serve import run as serve

from jan_engine import AttentionKernel, EngineOptions, KernelReason, Model
from jan_engine.types import Told
from tests import models

TEMPLATE = "vendor/llama.cpp/tree/models/templates/Qwen-Qwen3-0.6B.jinja"
ROOT = Path(__file__).resolve().parent.parent
MESSAGES = [{"role": "user", "content": "Hello!"}]
ASKED: dict[str, dict[str, object]] = {
    "/v1/chat/completions": {"messages": MESSAGES, "enable_thinking": False},
    "/v1/completions": {"prompt": "Once upon a time"},
}
WORDS = (" the", " answer", " is", " forty", "-two,", " which", " nobody", " doubts", ".\n")
WARM_S = 1.0  # once every stream runs, before the clock starts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.shell", description=__doc__)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--rate", type=float, default=200, help="tokens per second and stream")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve is not None:
        return _serve(args.serve, args.port, args.streams, args.rate)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shell.gguf"
        models.write_chat(path, WORDS, (ROOT / TEMPLATE).read_text())
        return _measure(path, args.streams, args.rate, args.seconds, args.rounds)


class ClockEngine:
    """What AsyncEngine needs of _core.Engine. Every stream gets one word per step, without end."""

    n_ctx = 1 << 20
    n_cells = 1 << 20

    def __init__(self, n_parallel: int, rate: float) -> None:
        self.n_parallel = n_parallel
        self._step_s = 1 / rate
        self._next_s = time.perf_counter()
        self._ids = itertools.count(1)
        self._words = itertools.cycle(WORDS)
        self._lock = threading.Lock()  # held by submit() and cancel(), and while a step is told
        self._running: set[int] = set()
        self._cancelled: set[int] = set()
        self._closed = False

    def submit(self, prompt: list[int], **_options: object) -> int:
        with self._lock:
            request_id = next(self._ids)
            self._running.add(request_id)
            return request_id

    def cancel(self, request_id: int) -> None:
        with self._lock:
            if request_id in self._running:
                self._running.discard(request_id)
                self._cancelled.add(request_id)

    def close(self, drain: bool) -> None:
        self._closed = True

    def take(self, timeout_s: float) -> list[Told] | None:
        """The next step's events, when its time has come. What is late is not made up for."""
        now_s = time.perf_counter()
        self._next_s = max(self._next_s + self._step_s, now_s)
        time.sleep(self._next_s - now_s)
        if self._closed:
            return None
        with self._lock:
            word = next(self._words)
            told: list[Told] = [(i, word, [7], [], None, None, None) for i in self._running]
            told += [(i, "", [], [], None, None, (2, _USAGE, "", None)) for i in self._cancelled]
            self._cancelled.clear()
        return told

    def stats(self) -> dict[str, Any]:
        return {"heartbeat_age_s": 0.0, "n_steps": 0}


_NO_KERNEL = AttentionKernel(
    flash=None,
    reason=KernelReason.GIVEN,
    plain_s=0.0,
    flash_s=0.0,
    n_lanes=0,
    depth=0,
    n_rounds=0,
    failure="",
)
_USAGE = {
    "n_prompt": 1,
    "n_generated": 1,
    "n_cached": 0,
    "n_evaluated": 1,
    "n_parked": 0,
    "n_drafted": 0,
    "n_accepted": 0,
    "truncated": False,
    "queued_s": 0.0,
    "prefill_s": 0.0,
    "decode_s": 0.0,
}


def _serve(model: Path, port: int, n_streams: int, rate: float) -> int:
    def open_clock(_model: Model, options: EngineOptions) -> tuple[ClockEngine, AttentionKernel]:
        return ClockEngine(options.n_parallel, rate), _NO_KERNEL

    with patch("jan_engine.engine.open_core", open_clock):
        flags = ["--port", str(port), "--parallel", str(n_streams), "--log-level", "warning"]
        return serve([str(model), *flags])


def _measure(model: Path, n_streams: int, rate: float, seconds: float, n_rounds: int) -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = ["-m", "bench.shell", "--serve", str(model), "--port", str(port)]
    own += ["--streams", str(n_streams), "--rate", str(rate)]
    server = subprocess.Popen([sys.executable, *own], cwd=ROOT)
    try:
        _wait(server, port)
        print(f"{n_streams} streams, {rate:g} tokens/s each; medians of {n_rounds} rounds")
        found: dict[str, list[tuple[float, float, float]]] = {path: [] for path in ASKED}
        for _, path in itertools.product(range(n_rounds), ASKED):
            run = _round(server.pid, port, path, n_streams, seconds)
            found[path].append(asyncio.run(run))
        for path, rounds in found.items():
            cores, us, n = (statistics.median(column) for column in zip(*rounds, strict=True))
            print(f"{path:22} {cores:.2f} cores, {us:5.1f} us per token, {n:,.0f} tokens/s")
    finally:
        server.terminate()
        server.wait()
    return 0


async def _round(
    pid: int, port: int, path: str, n_streams: int, seconds: float
) -> tuple[float, float, float]:
    """Cores used, microseconds per token, tokens per second."""
    body = msgspec.json.encode({"model": "shell", "stream": True, **ASKED[path]})
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    loop = asyncio.get_running_loop()
    new_reader = partial(_Reader, head.encode() + body)
    connecting = (loop.create_connection(new_reader, "127.0.0.1", port) for _ in range(n_streams))
    readers = [reader for _, reader in await asyncio.gather(*connecting)]
    await asyncio.gather(*(reader.began for reader in readers))
    await asyncio.sleep(WARM_S)
    n_before, cpu_before, before_s = _n_read(readers), _cpu_s(pid), time.perf_counter()
    await asyncio.sleep(seconds)
    n_after, cpu_after, after_s = _n_read(readers), _cpu_s(pid), time.perf_counter()
    for reader in readers:
        reader.leave()
    await asyncio.sleep(0.5)
    cpu_s, n_tokens, passed_s = cpu_after - cpu_before, n_after - n_before, after_s - before_s
    return cpu_s / passed_s, cpu_s / n_tokens * 1e6, n_tokens / passed_s


class _Reader(asyncio.Protocol):
    """Counts frames, as cheaply as it can: it shares the machine with what is measured."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._transport: asyncio.Transport | None = None
        self.n_frames = 0
        self.began: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.began.done():
            if data.startswith(b"HTTP/1.1 200"):
                self.began.set_result(None)
            else:
                self.began.set_exception(RuntimeError(data.decode()))
        self.n_frames += data.count(b"data: {")

    def leave(self) -> None:
        assert self._transport is not None
        assert not self._transport.is_closing(), "a stream ended early"
        self._transport.close()


def _n_read(readers: list[_Reader]) -> int:
    return sum(reader.n_frames for reader in readers)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    """Until it has its model."""
    while server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
                probe.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                if probe.recv(64).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError("the server ended")


if __name__ == "__main__":
    sys.exit(main())
