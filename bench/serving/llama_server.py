"""Upstream's server, asked over loopback with as thin a client as can be."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from bench.serving.load import Answer, Ask

__all__ = ["LlamaServer"]

PROGRAMS = Path(__file__).resolve().parents[2] / "build/peers/bin"


class LlamaServer:
    def __init__(self, name: str, model: Path, flags: Sequence[str]) -> None:
        self.name = name
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        command = [str(PROGRAMS / "llama-server"), "-m", str(model), "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--no-webui", *flags],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=1):
                    return
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError(f"{name}: llama-server did not start") from None
                time.sleep(0.1)

    def run(self, asks: Sequence[Ask], *, stream: bool) -> list[Answer]:
        return asyncio.run(self._run(asks, stream))

    async def _run(self, asks: Sequence[Ask], stream: bool) -> list[Answer]:
        began = time.perf_counter()
        return await asyncio.gather(*(self._one(ask, stream, began) for ask in asks))

    async def _one(self, ask: Ask, stream: bool, began: float) -> Answer:
        if ask.start_s:
            await asyncio.sleep(began + ask.start_s - time.perf_counter())
        answer = Answer(sent_s=time.perf_counter() - began)
        fields: dict[str, object] = {
            "prompt": ask.prompt,
            "n_predict": ask.n_out,
            "ignore_eos": True,
            "temperature": 0,
            "stream": stream,
        }
        if ask.schema is not None:
            fields["json_schema"] = json.loads(ask.schema)
        body = json.dumps(fields).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)
        head = f"POST /completion HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        if ask.cancel_s is not None:
            loop = asyncio.get_running_loop()
            loop.call_at(loop.time() + ask.cancel_s - answer.sent_s, writer.close)
        try:
            async for line in reader:
                if not line.startswith((b"data: {", b"{")):
                    continue
                told = json.loads(line.removeprefix(b"data: "))
                now = time.perf_counter() - began
                n = 1 if stream and not told["stop"] else 0
                if not stream:
                    n = told["tokens_predicted"]
                answer.token_s += [now] * n
                answer.n_out += n
                if told["stop"]:
                    answer.n_cached = told["timings"]["cache_n"]
                    answer.n_evaluated = told["timings"]["prompt_n"]
        except ConnectionError:
            pass  # we hung up
        writer.close()
        return answer

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
