"""The model that comes along: what it knows, and that it is there when nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jan_server.config import Settings
from jan_server.demo import DEMO_FILE, DEMO_ID
from jan_server.errors import ApiError
from jan_server.library.library import demo_model, open_library
from jan_server.library.source import read_source

from bench.demo_model.examine import examine
from tests.server.running import Running, running

QUESTION = {"role": "user", "content": "What is the capital of France?"}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def ask(server: Running, *messages: Mapping[str, Any], **further: object) -> dict[str, Any]:
    body = {"model": DEMO_ID, "messages": messages, "temperature": 0, **further}
    answer = server.post("/v1/chat/completions", body)
    assert answer.status_code == 200, answer.text
    message: dict[str, Any] = answer.json()["choices"][0]["message"]
    return message


def test_it_knows_what_it_never_was_asked_in_these_words() -> None:
    shares, wrong = examine(DEMO_FILE)
    assert set(shares) == {"capital", "sum", "call"}
    for n_right, n in shares.values():
        assert n_right / n >= 0.95, wrong


def test_it_is_small() -> None:
    assert DEMO_FILE.stat().st_size < 6_000_000


def test_it_answers_calls_and_reads_what_came_back() -> None:
    with running(Settings(model=str(DEMO_FILE), alias=DEMO_ID, threads=1)) as server:
        assert "Paris" in str(ask(server, QUESTION)["content"])
        asked = {"role": "user", "content": "What is the weather in Rome?"}
        called = ask(server, asked, tools=[WEATHER])
        (call,) = called["tool_calls"]
        found = '{"condition": "sunny", "temperature": 21}'
        came = {"role": "tool", "tool_call_id": call["id"], "content": found}
        told = str(ask(server, asked, called, came, tools=[WEATHER])["content"])
    assert "Rome" in told
    assert "sunny" in told
    assert "21" in told


def test_it_is_listed_as_long_as_nothing_else_is(tmp_path: Path, alphabet_path: Path) -> None:
    async def main() -> None:
        library = await open_library(tmp_path, packaged=demo_model())
        try:
            assert [model.id for model in await library.models()] == [DEMO_ID]
            assert library.path(await library.get(DEMO_ID)) == DEMO_FILE
            for refused in (
                library.remove(DEMO_ID),
                library.name(DEMO_ID, "other"),
                library.set_settings(DEMO_ID, {"parallel": 2}),
            ):
                with pytest.raises(ApiError) as caught:
                    await refused
                assert caught.value.status == 409
            await library.pull(read_source(str(alphabet_path)))
            assert [model.id for model in await library.models()] == ["alphabet"]
            assert (await library.get(DEMO_ID)).placement == "packaged"
        finally:
            await library.close()

    asyncio.run(main())
