"""What a peer may do to a connection before it has shown a key. Waits are short here, and are told
by what the server answers, never by a clock.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import msgspec
import pytest
from jan_server.config import Settings
from jan_server.connections.limits import ConnectionLimits

from tests.server.running import Running, running

GET = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
KEY = b"Authorization: Bearer first-key\r\n"
QUICK = ConnectionLimits(head_s=0.4, idle_s=0.8, body_s=0.4, left_s=1, n_connections=64)
PATIENT = ConnectionLimits(n_connections=64)


@pytest.fixture(scope="module")
def guarded(alphabet_path: Path) -> Iterator[Running]:
    settings = Settings(model=str(alphabet_path), threads=1, api_key=("first-key",))
    with running(settings, limits=PATIENT) as server:
        yield server


@pytest.fixture(scope="module")
def quick(alphabet_path: Path) -> Iterator[Running]:
    settings = Settings(model=str(alphabet_path), threads=1)
    with running(settings, limits=QUICK) as server:
        yield server


def connect(server: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def rest_of(peer: socket.socket) -> bytes:
    """What comes until the server closes."""
    received = b""
    while part := peer.recv(1 << 16):
        received += part
    return received


def statuses(received: bytes) -> list[int]:
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]


def flood(server: Running, first: bytes, more: bytes) -> bytes:
    """Send `more` without end, until the server answers or closes."""
    with closing(connect(server)) as peer:
        peer.sendall(first)
        peer.setblocking(False)
        n_sent = 0
        while n_sent < 50 << 20:
            try:
                n_sent += peer.send(more)
            except BlockingIOError:
                time.sleep(0.001)
            except OSError:
                break
            try:
                if answer := peer.recv(1 << 16):
                    return answer
            except BlockingIOError:
                pass
            except OSError:
                break
        raise AssertionError(f"{n_sent} bytes were taken without an answer")


CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (GET + b"X: ", b"a" * 4096),
        (b"GET /", b"a" * 4096),
        (GET, b"X: a\r\n" * 512),
        (GET, b"a" * 4096),
        (POST + KEY + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: a\r\n" * 512),
        (POST + KEY + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"a" * 4096),
        (POST + KEY + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 4096),
    ],
    ids=["value", "path", "headers", "name", "trailers", "trailer", "extension"],
)
def test_a_head_without_end_is_refused(guarded: Running, first: bytes, more: bytes) -> None:
    answer = flood(guarded, first, more)
    assert statuses(answer) == [431]
    assert b'"code":"headers_too_large"' in answer
    assert b"connection: close" in answer
    assert guarded.get("/health").status_code == 200


def test_so_many_headers_and_no_more(guarded: Running) -> None:
    for n_headers, status in ((255, 401), (256, 431)):
        with closing(connect(guarded)) as peer:
            peer.sendall(GET + b"X: a\r\n" * n_headers + b"\r\n")
            assert statuses(peer.recv(1 << 16)) == [status]


def test_heads_may_come_in_pieces_and_several_in_one(quick: Running) -> None:
    whole = GET + b"Connection: close\r\n\r\n"
    with closing(connect(quick)) as peer:
        for byte in whole:
            peer.sendall(bytes([byte]))
        assert statuses(rest_of(peer)) == [200]
    body = msgspec.json.encode({"input": "a" * 300_000})
    head = b"POST /extras/tokenize/count HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    with closing(connect(quick)) as peer:
        peer.sendall(3 * (GET + b"\r\n") + head % len(body) + body + whole)
        assert statuses(rest_of(peer)) == [200] * 5


def test_trailers_are_no_headers(guarded: Running) -> None:
    chunk = b"2\r\n{}\r\n0\r\n"
    for trailer in (KEY, b"X-API-Key: first-key\r\n"):
        with closing(connect(guarded)) as peer:
            peer.sendall(CHUNKED + chunk + trailer + b"\r\n")
            assert statuses(peer.recv(1 << 16)) == [401]
    elsewhere = b"POST /v1/completions HTTP/1.1\r\nHost: evil.example\r\n" + KEY
    with closing(connect(guarded)) as peer:
        trailer = b"Host: localhost\r\n\r\n"
        peer.sendall(elsewhere + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + trailer)
        assert statuses(peer.recv(1 << 16)) == [403]


@pytest.mark.parametrize("twice", [b"Host: evil.example", KEY.strip(), b"X-API-Key: first-key"])
def test_what_says_who_calls_is_said_once(guarded: Running, twice: bytes) -> None:
    with closing(connect(guarded)) as peer:
        further = b"" if twice.startswith(b"Host") else twice + b"\r\n"
        peer.sendall(GET + KEY + further + twice + b"\r\n\r\n")
        answer = peer.recv(1 << 16)
    assert statuses(answer) == [400]
    assert b"came more than once" in answer


def test_whoever_says_nothing_or_half_of_it_is_not_waited_for(
    quick: Running, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as stack:
        silent, half, part, asked = (stack.enter_context(closing(connect(quick))) for _ in range(4))
        half.sendall(GET)
        part.sendall(POST + b'Content-Length: 99\r\n\r\n{"model"')
        asked.sendall(GET + b"\r\n")
        assert rest_of(silent) == b""
        assert statuses(rest_of(half)) == [408]
        answer = rest_of(part)
        assert statuses(answer) == [408]
        assert b'"code":"request_timeout"' in answer
        assert statuses(rest_of(asked)) == [200]  # once it has been idle
    assert 'route="/v1/completions",status="408"' in quick.get("/metrics").text
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_body_that_trickles_is_not_waited_for(quick: Running) -> None:
    head = POST + b"Content-Length: 1000\r\n\r\n"
    with closing(connect(quick)) as peer:
        peer.sendall(head)
        peer.settimeout(0.05)
        answer = b""
        while not answer:
            peer.sendall(b" ")
            try:
                answer = peer.recv(1 << 16)
            except TimeoutError:
                continue
        assert statuses(answer) == [408]


def test_a_body_that_nobody_reads_ends_too(guarded: Running, alphabet_path: Path) -> None:
    settings = Settings(model=str(alphabet_path), threads=1, api_key=("first-key",))
    with running(settings, limits=QUICK) as server, closing(connect(server)) as peer:
        peer.sendall(POST + b"Content-Length: 1000000\r\n\r\n")
        assert statuses(peer.recv(1 << 16)) == [401]
        assert rest_of(peer) == b""


@pytest.mark.parametrize("stream", [False, True])
def test_whoever_sends_no_more_gets_its_answer(alphabet_server: Running, stream: bool) -> None:
    body = msgspec.json.encode(
        {"model": "alphabet", "prompt": "a", "max_tokens": 25, "stream": stream}
    )
    with closing(connect(alphabet_server)) as peer:
        peer.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        peer.shutdown(socket.SHUT_WR)
        answer = rest_of(peer).replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    assert statuses(answer) == [200]
    if stream:
        assert answer.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    else:
        text = msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])["choices"][0]["text"]
        assert text == "bcdefghijklmnopqrstuvwxyz"


def test_an_old_client_that_sends_no_more_gets_its_answer(quick: Running) -> None:
    with closing(connect(quick)) as peer:
        peer.sendall(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
        peer.shutdown(socket.SHUT_WR)
        assert statuses(rest_of(peer)) == [200]


def test_those_who_wait_give_way_to_those_who_ask(
    alphabet_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(model=str(alphabet_path), threads=1, api_key=("first-key",))
    limits = ConnectionLimits(n_connections=20)
    with running(settings, limits=limits) as server, ExitStack() as stack:
        known = stack.enter_context(closing(connect(server)))
        known.sendall(GET + KEY + b"\r\n")
        assert statuses(known.recv(1 << 16)) == [200]
        for n in range(500):
            waiting = stack.enter_context(closing(connect(server)))
            waiting.sendall((GET, b"", GET + b"\r\n", POST + b"Content-Length: 9\r\n\r\n")[n % 4])
        assert server.get("/health").status_code == 200
        known.sendall(GET + KEY + b"\r\n")
        assert statuses(known.recv(1 << 16)) == [200]
    told = [record.getMessage() for record in caplog.records]
    assert len([line for line in told if "max_connections" in line]) == 1


def test_heads_that_are_not_whole_take_so_much_memory_together(alphabet_path: Path) -> None:
    settings = Settings(model=str(alphabet_path), threads=1)
    limits = ConnectionLimits(n_connections=64, n_unread_bytes=100_000)
    with running(settings, limits=limits) as server, ExitStack() as stack:
        peers = [stack.enter_context(closing(connect(server))) for _ in range(8)]
        for peer in peers:
            peer.sendall(GET + b"X: " + b"a" * 30_000)
        assert server.get("/health").status_code == 200
        for peer in peers[-2:]:
            peer.sendall(b"\r\n\r\n")
            assert statuses(peer.recv(1 << 16)) == [200]
        for peer in peers[:2]:
            with suppress(ConnectionError):
                assert rest_of(peer) == b""


def test_a_clock_far_ahead_stops_nothing(
    alphabet_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(Settings(model=str(alphabet_path), threads=1)) as server:
        monkeypatch.setattr("time.time", lambda: 8000 * 365.25 * 86400)
        end_s = time.monotonic() + 2.5  # the date is written once a second
        while time.monotonic() < end_s:
            assert server.get("/health").status_code == 200
            time.sleep(0.1)
        body = {"model": "alphabet", "prompt": "a", "max_tokens": 2}
        assert server.post("/v1/completions", body).status_code == 200
