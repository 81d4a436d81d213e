"""Whatever our own description of the API allows, and much that it does not, asked of a live
engine: no answer is our fault, and nobody else's stream notices.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from jan_server.config import Settings

from tests import models
from tests.clients.environments import program, ran
from tests.server.conftest import QWEN, TEMPLATES
from tests.server.running import Running, running

SECONDS = 60
ENDLESS = {
    "model": "any",
    "prompt": "a",
    "grammar": 'root ::= "a" root',
    "n_predict": -1,
    "stream": True,
}

pytestmark = pytest.mark.unsanitized


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    template = {"tokenizer.chat_template": (TEMPLATES / QWEN).read_text()}
    path = models.write_random(tmp_path / "any.gguf", extra=template)
    settings = Settings(
        model=str(path),
        parallel=8,
        ctx_size=256,
        threads=1,
        context_shift=True,
        log_requests=False,
        offline=True,
    )
    with running(settings) as server:
        yield server


class Neighbour(threading.Thread):
    """Reads one answer without end, of which every letter is known."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._left = threading.Event()
        self.texts: list[str] = []
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            with httpx.stream("POST", self._url, json=ENDLESS, timeout=60) as answer:
                assert answer.status_code == 200
                for line in answer.iter_lines():
                    if self._left.is_set():
                        return
                    if line:
                        frame = msgspec.json.decode(line.removeprefix("data: "))
                        self.texts.append(frame["choices"][0]["text"])
            raise AssertionError("the stream ended")
        except Exception as error:
            self.error = error

    def leave(self) -> None:
        self._left.set()
        self.join(60)


def test_no_request_is_too_strange(server: Running) -> None:
    neighbour = Neighbour(server.url + "/v1/completions")
    neighbour.start()
    try:
        server.until(lambda stats: stats["n_running"] == 1)
        ran(
            program("schemathesis", "st"),
            "run",
            server.url + "/openapi.json",
            "--checks=not_a_server_error",
            f"--max-time={SECONDS}",
            "--request-timeout=30",
            "--workers=2",
            "--continue-on-failure",
            "--generation-deterministic",
            "--exclude-path=/v1/models/events",  # has no end
            seconds=SECONDS * 4,
        )
        server.until(lambda stats: stats["n_running"] == 1 and stats["n_waiting"] == 0)
        n_before = len(neighbour.texts)
        server.until(lambda _: len(neighbour.texts) > n_before)
    finally:
        neighbour.leave()
    assert neighbour.error is None
    assert set("".join(neighbour.texts)) == {"a"}
    assert server.get("/healthz").status_code == 200
    assert server.served.engine.stats()["n_failed"] == 0
