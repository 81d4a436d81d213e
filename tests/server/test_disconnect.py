"""Callers that close their socket. The engine stops computing for them at once."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Mapping

import msgspec
import pytest

from tests.server.running import Running


def open_request(
    server: Running, body: Mapping[str, object], path: str = "/v1/completions"
) -> socket.socket:
    raw = msgspec.json.encode(body)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(raw)}\r\n\r\n"
    caller = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    caller.sendall(head.encode() + raw)
    return caller


@pytest.mark.parametrize("stream", [True, False])
def test_a_closed_socket_cancels_the_request(endless_server: Running, stream: bool) -> None:
    body = {"model": "endless", "prompt": "a", "n_predict": -1, "stream": stream}
    caller = open_request(endless_server, body)
    if stream:
        assert b"data: " in caller.recv(1 << 16) + caller.recv(1 << 16)
    else:
        endless_server.until(lambda stats: stats["n_running"] == 1)
    caller.close()
    endless_server.until(lambda stats: stats["n_cancelled"] == 1 and stats["n_running"] == 0)


@pytest.mark.parametrize("stream", [True, False])
def test_a_chat_is_cancelled_too(endless_server: Running, stream: bool) -> None:
    messages = [{"role": "user", "content": "b"}, {"role": "assistant", "content": "a"}]
    body = {"model": "endless", "messages": messages, "stream": stream}
    with open_request(endless_server, body, "/v1/chat/completions"):
        endless_server.until(lambda stats: stats["n_running"] == 1)
    endless_server.until(lambda stats: stats["n_cancelled"] == 1 and stats["n_running"] == 0)


def test_every_choice_of_a_request_is_cancelled(endless_server: Running) -> None:
    body = {"model": "endless", "prompt": ["a", "a"], "n": 3, "n_predict": -1, "stream": True}
    caller = open_request(endless_server, body)
    caller.recv(1 << 16)
    caller.close()
    endless_server.until(lambda stats: stats["n_cancelled"] == 6 and stats["n_running"] == 0)


def test_whoever_leaves_takes_nothing_from_the_others(endless_server: Running) -> None:
    endless = {"model": "endless", "prompt": "a", "n_predict": -1, "stream": True}
    leaving = [open_request(endless_server, endless) for _ in range(3)]
    for caller in leaving:
        caller.recv(1)
        caller.close()
    body = {"model": "endless", "prompt": "a", "max_tokens": 200}
    answer = endless_server.post("/v1/completions", body)
    assert answer.json()["choices"][0]["text"] == "a" * 200


def test_whoever_leaves_amid_its_own_request_is_no_fault_of_ours(
    endless_server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    head = b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n"
    with socket.create_connection(("127.0.0.1", endless_server.port), timeout=20) as caller:
        caller.sendall(head + b'{"model"')
    end_s = time.monotonic() + 20
    while 'route="/v1/completions"' not in endless_server.get("/metrics").text:
        assert time.monotonic() < end_s
        time.sleep(0.01)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_slow_reader_loses_nothing(endless_server: Running) -> None:
    body = {"model": "endless", "prompt": "a", "max_tokens": 3000, "stream": True}
    with open_request(endless_server, body) as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        endless_server.until(lambda stats: stats["n_finished"] == 1)
        received = b""
        while b"[DONE]" not in received:
            received += caller.recv(1 << 16)
    texts = [
        msgspec.json.decode(line.removeprefix(b"data: "))["choices"][0]["text"]
        for line in received.split(b"\n")
        if line.startswith(b"data: {")
    ]
    assert "".join(texts) == "a" * 3000
