"""A download that failed is there to be asked about, and its reason with it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from jan_server.config import Settings
from jan_server.library import downloads

from tests.library.origin import Origin, content, running_origin, status
from tests.server.running import Running, running
from tests.server.several import state, wait_for


@pytest.fixture
def origin() -> Iterator[Origin]:
    with running_origin() as origin:
        yield origin


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(Settings(home=str(tmp_path), threads=1)) as server:
        yield server


def fail(server: Running, origin: Origin) -> None:
    answer = server.post("/v1/models", {"source_url": origin.url + "/a.gguf?key=secret"})
    assert answer.json()["state"] == "downloading"
    wait_for(lambda: state(server, "a") == "failed", "it never failed")


def test_it_is_listed_told_and_logged_with_its_reason(
    server: Running, origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    origin.answers = {"/a.gguf?key=secret": status(404)}
    with caplog.at_level(logging.WARNING, "jan_server"):
        fail(server, origin)
    told = server.get("/v1/models/a").json()
    (listed,) = server.get("/v1/models").json()["data"]
    for one in (told, listed):
        assert (one["state"], one["metadata"]["code"]) == ("failed", "model_not_found")
        assert one["metadata"]["error"] == "a.gguf is not there (404)"
        assert one["source_url"] == origin.url + "/a.gguf"
    assert "a.gguf is not there (404)" in caplog.text
    assert "secret" not in caplog.text
    with httpx.stream("GET", server.url + "/v1/models/events", timeout=30) as events:
        first = next(line for line in events.iter_lines() if line.startswith("data: "))
    progress = msgspec.json.decode(first.removeprefix("data: "))
    assert (progress["state"], progress["code"]) == ("failed", "model_not_found")


def test_it_is_forgotten_when_it_is_removed(server: Running, origin: Origin) -> None:
    fail(server, origin)
    assert server.client.delete("/v1/models/a").json()["deleted"]
    assert server.get("/v1/models/a").status_code == 404
    assert server.get("/v1/models").json()["data"] == []


def test_the_next_try_takes_its_place(server: Running, origin: Origin, alphabet_path: Path) -> None:
    fail(server, origin)
    origin.answers = {"/a.gguf?key=secret": content(alphabet_path.read_bytes())}
    body = {"source_url": origin.url + "/a.gguf?key=secret", "wait": True}
    assert server.post("/v1/models", body).json()["state"] == "downloaded"
    (listed,) = server.get("/v1/models").json()["data"]
    assert (listed["id"], listed["state"]) == ("a", "ready")


def test_it_goes_after_a_while(
    server: Running, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(server, origin)
    monkeypatch.setattr(downloads, "_FAILED_S", 0.0)
    assert server.get("/v1/models").json()["data"] == []
