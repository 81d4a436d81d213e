"""`Prefer: respond-async`: answers that are fetched later."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jan_server.config import Settings
from jan_server.deferral import DeferredAnswers, DeferredHead, prefers_async
from jan_server.errors import ApiError

from tests.server.running import Running, running

LATER = {"Prefer": "respond-async"}


def ask(server: Running, body: dict[str, Any], path: str = "/v1/completions") -> httpx.Response:
    return server.post(path, body, headers=LATER)


def fetched(server: Running, place: str, **further: Any) -> httpx.Response:  # noqa: ANN401
    """Once it is more than a head."""
    end = time.monotonic() + 20
    while True:
        answer = server.get(place, **further)
        if answer.status_code != 200 or answer.json()["status"] != "in_progress":
            return answer
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_answer_is_fetched_later(alphabet_server: Running) -> None:
    body = {"model": "alphabet", "prompt": "a", "temperature": 0, "max_tokens": 3}
    accepted = ask(alphabet_server, body)
    assert accepted.status_code == 202
    head = accepted.json()
    assert accepted.headers["location"] == f"/v1/responses/{head['id']}"
    assert accepted.headers["preference-applied"] == "respond-async"
    assert (head["object"], head["choices"], head["status"]) == ("text_completion", [], "queued")
    answer = fetched(alphabet_server, accepted.headers["location"]).json()
    assert (answer["id"], answer["created"]) == (head["id"], head["created"])
    assert (answer["choices"][0]["text"], answer["status"]) == ("bcd", "completed")
    again = alphabet_server.get(accepted.headers["location"])
    assert again.json() == answer
    assert alphabet_server.client.delete(accepted.headers["location"]).json()["deleted"]
    assert alphabet_server.get(accepted.headers["location"]).status_code == 404


def test_a_conversation_too(thinking_server: Running) -> None:
    body = {"model": "thinking", "messages": [{"role": "user", "content": "Hi"}]}
    accepted = ask(thinking_server, body, "/v1/chat/completions")
    assert (accepted.status_code, accepted.json()["object"]) == (202, "chat.completion")
    answer = fetched(thinking_server, accepted.headers["location"]).json()
    assert answer["choices"][0]["message"]["content"] == "Hello there, you."


def test_a_request_that_is_wrong_is_told_so_at_once(alphabet_server: Running) -> None:
    assert ask(alphabet_server, {"model": "alphabet", "prompt": []}).status_code == 400
    assert ask(alphabet_server, {"model": "other", "prompt": "a"}).status_code == 404


def test_a_stream_is_a_stream(alphabet_server: Running) -> None:
    body = {"model": "alphabet", "prompt": "a", "stream": True}
    answer = ask(alphabet_server, body)
    assert answer.status_code == 200
    assert "preference-applied" not in answer.headers


def test_an_answer_is_cancelled_while_it_is_made(endless_server: Running) -> None:
    accepted = ask(endless_server, {"model": "endless", "prompt": "a", "max_tokens": 100_000})
    place = accepted.headers["location"]
    endless_server.until(lambda stats: stats["n_running"] == 1)
    running_one = endless_server.get(place).json()
    assert (running_one["status"], running_one["choices"]) == ("in_progress", [])
    assert endless_server.client.delete(place).status_code == 200
    endless_server.until(lambda stats: stats["n_running"] == 0)
    assert endless_server.get(place).status_code == 404


def test_what_is_made_for_later_counts_and_holds_its_model(several: Running) -> None:
    body = {"model": "one", "prompt": "Who?"}
    accepted = ask(several, body)
    assert fetched(several, accepted.headers["location"]).json()["choices"][0]["text"] == "one!"
    (model,) = several.get("/v1/models?loaded=true").json()["data"]
    assert (model["id"], model["metadata"]["requests"]) == ("one", "0")
    assert re.search(r"jan:request_success_total\{[^}]*\} 1", several.get("/metrics").text)


@pytest.fixture
def two_keys(alphabet_path: Path) -> Iterator[Running]:
    keys = ("one", "two")
    with running(Settings(model=str(alphabet_path), threads=1, api_key=keys)) as server:
        yield server


def test_an_answer_is_its_callers_alone(two_keys: Running) -> None:
    one, two = ({"Authorization": f"Bearer {key}"} for key in ("one", "two"))
    body = {"model": "alphabet", "prompt": "a"}
    accepted = two_keys.post("/v1/completions", body, headers={**LATER, **one})
    place = accepted.headers["location"]
    assert fetched(two_keys, place, headers=one).json()["status"] == "completed"
    assert two_keys.get(place, headers=two).status_code == 404
    assert two_keys.client.delete(place, headers=two).status_code == 404
    assert two_keys.get(place).status_code == 401


def test_so_many_are_kept_and_for_so_long() -> None:
    async def bounded() -> None:
        answers = DeferredAnswers(most=2, kept_s=0.05)
        go = asyncio.Event()

        async def work() -> bytes:
            await go.wait()
            return b'{"id":"x"}'

        def add(name: str) -> asyncio.Task[None]:
            head = DeferredHead(id=name, object="o", created=0, model="m")
            return answers.add(head, "", work, lambda: None, lambda error: ApiError(500, "", ""))

        made = [add("a"), add("b")]
        with pytest.raises(ApiError) as refused:
            add("c")
        assert refused.value.status == 503
        go.set()
        await asyncio.gather(*made)
        assert answers.get("a", "") == b'{"id":"x","status":"completed"}'
        await add("c")  # the oldest that is there gives way
        with pytest.raises(ApiError):
            answers.get("a", "")
        assert answers.get("b", "")
        await asyncio.sleep(0.1)
        with pytest.raises(ApiError):
            answers.get("b", "")

    asyncio.run(bounded())


def test_a_preference_is_found_among_others() -> None:
    assert prefers_async([(b"prefer", b"wait=5, Respond-Async; foo=1")])
    assert not prefers_async([(b"prefer", b"return=minimal"), (b"accept", b"respond-async")])
