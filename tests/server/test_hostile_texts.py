"""Texts that are large, or hard to read: refused by size, or read beside everything else."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.server.canary import nobody_waits
from tests.server.test_cli import start, url_of

pytestmark = pytest.mark.unsanitized
ENDLESS = {"model": "endless", "prompt": "a", "n_predict": -1}
MB = 1 << 20


class Program:
    """A server in a process of its own, so that its memory and its threads are its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.url = url_of(process)
        self.client = httpx.Client(base_url=self.url, timeout=120)

    def post(self, path: str, body: object) -> httpx.Response:
        return self.client.post(path, content=msgspec.json.encode(body))

    def memory_bytes(self, which: str) -> int:
        """VmRSS: now; VmHWM: at most since it began."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith(which))
        return int(line.split()[1]) * 1024

    def leave_after(self, seconds: float, path: str, body: object) -> None:
        """Ask, and close the connection before there is an answer."""
        raw = msgspec.json.encode(body)
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(raw)}\r\n\r\n"
        port = int(self.url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as caller:
            caller.sendall(head.encode() + raw)
            time.sleep(seconds)


@contextmanager
def serving(path: Path, *arguments: str) -> Generator[Program]:
    process = start(str(path), *("--port", "0", "-c", "4096", "-t", "1", *arguments))
    try:
        server = Program(process)
        with server.client:
            yield server
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def program(endless_path: Path) -> Iterator[Program]:
    with serving(endless_path, "-np", "4", "--context-shift") as server:
        yield server


def chat(text: str) -> dict[str, object]:
    return {"model": "endless", "messages": [{"role": "user", "content": text}], "max_tokens": 1}


HOSTILE: dict[str, tuple[str, Callable[[], object], int]] = {
    "special tokens to count": (
        "/extras/tokenize/count",
        lambda: {"input": "</s>" * (MB // 4)},
        200,
    ),
    "line ends to count": ("/extras/tokenize/count", lambda: {"input": "\r\n" * (MB // 2)}, 200),
    "pieces": ("/extras/tokenize", lambda: {"input": "a" * MB, "with_pieces": True}, 200),
    "tokens": ("/extras/detokenize", lambda: {"tokens": [99] * MB}, 200),
    "llama-server's way to count": ("/tokenize", lambda: {"content": "</s>" * (MB // 4)}, 200),
    "llama-server's way back": ("/detokenize", lambda: {"tokens": [99] * MB}, 200),
    "40 MB to tokenise": ("/extras/tokenize", lambda: {"input": "a" * (40 * MB)}, 413),
    "a prompt of special tokens": (
        "/v1/completions",
        lambda: {"model": "endless", "prompt": "</s>" * (MB // 4)},
        400,
    ),
    "12 MB of Chinese as a prompt": (
        "/v1/completions",
        lambda: {"model": "endless", "prompt": "\u4e2d" * (4 * MB)},
        400,
    ),
    "a conversation of special tokens": (
        "/v1/chat/completions",
        lambda: chat("<|im_end|>" * (MB // 10)),
        400,
    ),
    "inputs for vectors": (
        "/v1/embeddings",
        lambda: {"model": "endless", "input": ["</s>" * (MB // 4)] * 4},
        400,
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nobody_else_waits(program: Program, name: str) -> None:
    path, body, status = HOSTILE[name]
    raw = msgspec.json.encode(body())

    def attack() -> None:
        with ThreadPoolExecutor(3) as callers:
            asked = [
                callers.submit(httpx.post, program.url + path, content=raw, timeout=120)
                for _ in range(3)
            ]
        for one in asked:
            assert one.result().status_code == status, one.result().text[:300]

    nobody_waits(program.url, attack, stream=ENDLESS)


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/completions", {"prompt": "a" * 300_000}, "prompt"),
        ("/v1/completions", {"prompt": "a", "suffix": "a" * 300_000}, "suffix"),
        ("/v1/completions", {"prompt": ["a", "\u00e9" * 200_000]}, "prompt"),
        ("/v1/chat/completions", chat("a" * 300_000), "messages"),
        (
            "/v1/messages",
            {"messages": [{"role": "user", "content": "a" * 300_000}], "max_tokens": 1},
            "messages",
        ),
        ("/v1/embeddings", {"input": ["a", "a" * 300_000]}, "input"),
    ],
)
def test_what_cannot_fit_names_its_field(
    program: Program, path: str, body: dict[str, object], param: str
) -> None:
    answer = program.post(path, {"model": "endless", **body})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "context_length_exceeded"), error
    assert error["param"] == param
    assert "bytes" in error["message"]


def test_what_may_fit_is_counted(program: Program) -> None:
    answer = program.post("/v1/completions", {"model": "endless", "prompt": "a" * 1500})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "context_length_exceeded")
    assert "tokens does not fit" in error["message"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells it there")
@pytest.mark.parametrize(
    ("path", "body", "n_body"),
    [
        ("/extras/tokenize", lambda: {"input": "a" * (40 * MB)}, 40 * MB),
        (
            "/v1/completions",
            lambda: {"model": "endless", "prompt": "\u4e2d" * (4 * MB)},
            12 * MB,
        ),
    ],
)
def test_a_large_body_takes_little_memory(
    endless_path: Path, path: str, body: Callable[[], object], n_body: int
) -> None:
    with serving(endless_path, "-np", "1") as server:
        server.post("/extras/tokenize", {"input": "a"})
        idle = server.memory_bytes("VmRSS")
        assert server.post(path, body()).status_code in (400, 413)
        assert server.memory_bytes("VmHWM") - idle <= 4 * n_body


def test_work_that_was_abandoned_keeps_nobody_from_chatting_nor_the_server_from_ending(
    endless_path: Path,
) -> None:
    with serving(endless_path, "-np", "1", "--shutdown-timeout", "2") as server:
        large = {"input": "ab " * MB}
        with ThreadPoolExecutor(12) as callers:
            for _ in range(12):
                callers.submit(server.leave_after, 0.3, "/extras/tokenize/count", large)
        began_s = time.monotonic()
        body = {"model": "endless", "prompt": "a", "max_tokens": 2}
        assert server.post("/v1/completions", body).status_code == 200
        assert time.monotonic() - began_s < 5
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
