"""More than the server can do: some are turned away, and nobody else notices."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from jan_server.config import Settings
from jan_server.errors import ApiError
from jan_server.inference.admission import Admission

from tests.server.running import Running, running
from tests.server.test_disconnect import open_request

ENDLESS = {"model": "endless", "prompt": "a", "n_predict": -1, "stream": True}


@pytest.fixture
def small(endless_path: Path) -> Iterator[Running]:
    """One place, one more in the queue, and 300 prompt tokens at most in it."""
    settings = Settings(
        model=str(endless_path),
        parallel=1,
        ctx_size=512,
        threads=1,
        context_shift=True,
        max_queued_requests=1,
        max_queued_tokens=300,
    )
    with running(settings) as server:
        yield server


def test_a_full_queue_says_when_to_come_back(small: Running) -> None:
    with open_request(small, ENDLESS), open_request(small, ENDLESS) as waiting:
        small.until(lambda stats: stats["n_running"] == 1 and stats["n_waiting"] == 1)
        answer = small.post("/v1/completions", {"model": "endless", "prompt": "a"})
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "server_overloaded"
        assert int(answer.headers["retry-after"]) >= 1
        waiting.close()
        small.until(lambda stats: stats["n_waiting"] == 0)
    small.until(lambda stats: stats["n_running"] == 0)
    assert small.post("/v1/completions", {"model": "endless", "prompt": "a"}).status_code == 200


def test_prompts_that_wait_are_counted_in_tokens(small: Running) -> None:
    long = {"model": "endless", "prompt": "a" * 250, "max_tokens": 1}
    with open_request(small, ENDLESS) as running_now, ThreadPoolExecutor(1) as pool:
        small.until(lambda stats: stats["n_running"] == 1)
        first = pool.submit(small.post, "/v1/completions", long)
        small.until(lambda stats: stats["n_waiting"] == 1)
        answer = small.post("/v1/completions", long)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "server_overloaded")
        assert "prompt tokens" in answer.json()["error"]["message"]
        running_now.close()
    assert first.result(60).status_code == 200
    small.until(lambda _: small.served.admission.n_tokens == 0)


def test_one_request_of_too_many_choices_runs_none_of_them(small: Running) -> None:
    body = {"model": "endless", "prompt": "a", "n": 8, "max_tokens": 3}
    answer = small.post("/v1/completions", body)
    assert answer.status_code == 503
    small.until(lambda stats: stats["n_running"] == 0 and stats["n_waiting"] == 0)
    assert small.served.admission.n_tokens == 0


def test_a_long_prompt_is_taken_where_nothing_waits() -> None:
    admission = Admission(100)
    admission.enter(500)
    with pytest.raises(ApiError) as refused:
        admission.enter(1)
    assert refused.value.headers["Retry-After"] == "1"  # nothing is known of the speed yet
    admission.read(500)
    admission.enter(60)
    admission.enter(40)
    with pytest.raises(ApiError):
        admission.enter(1)


def test_no_limit_lets_everything_wait() -> None:
    admission = Admission(0)
    for _ in range(10):
        admission.enter(1_000_000)
