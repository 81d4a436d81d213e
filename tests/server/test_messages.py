"""/v1/messages, through Anthropic's official client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic import Anthropic, BadRequestError, NotFoundError
from anthropic.types import Message, MessageParam, ToolParam

from tests.server.running import Running

MESSAGES = "/v1/messages"
USER: MessageParam = {"role": "user", "content": "Hello!"}
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 6}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER: ToolParam = {"name": "get_weather", "description": "Weather.", "input_schema": SCHEMA}


USE = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Rome"}}


def client_of(server: Running) -> Anthropic:
    return Anthropic(base_url=server.url, api_key="placeholder", max_retries=0)


def ask(server: Running, model: str, **further: object) -> dict[str, Any]:
    body: dict[str, object] = {"model": model, "messages": [USER], "max_tokens": 200, **further}
    answer = server.post(MESSAGES, body)
    assert answer.status_code == 200, answer.text
    message: dict[str, Any] = answer.json()
    return message


def events(server: Running, body: dict[str, object]) -> list[dict[str, Any]]:
    """Each under the name that stands above it."""
    answer = server.post(MESSAGES, {**body, "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    found: list[dict[str, Any]] = []
    for block in answer.text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def test_an_answer_is_blocks_with_the_thoughts_first(thinking_server: Running) -> None:
    message = client_of(thinking_server).messages.create(
        model="thinking",
        max_tokens=100,
        messages=[USER],
        thinking={"type": "enabled", "budget_tokens": 1024},
    )
    assert message.id.startswith("msg_")
    thought, text = message.content
    assert thought.type == "thinking"
    assert thought.thinking.strip() == "A friendly greeting."
    assert text.type == "text"
    assert text.text == "Hello there, you."
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    assert message.usage.output_tokens == 8
    cached = message.usage.cache_read_input_tokens or 0
    assert message.usage.input_tokens + cached > 20


def test_thinking_is_off_unless_asked_for(thinking_server: Running) -> None:
    on, off = ({"thinking": {"type": kind}} for kind in ("adaptive", "disabled"))

    def n_tokens(**asked: object) -> int:
        body = {"model": "thinking", "messages": [USER], **asked}
        count: int = thinking_server.post(MESSAGES + "/count_tokens", body).json()["input_tokens"]
        return count

    assert n_tokens() == n_tokens(**off) > n_tokens(**on)


def test_a_stream_says_the_same_as_a_whole_answer(thinking_server: Running) -> None:
    with client_of(thinking_server).messages.stream(
        model="thinking",
        max_tokens=100,
        messages=[USER],
        thinking={"type": "enabled", "budget_tokens": 1024},
    ) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert text == "Hello there, you."
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens == 8


def test_blocks_are_opened_and_closed_in_turn(calling_server: Running) -> None:
    body: dict[str, object] = {
        "model": "calling",
        "messages": [USER],
        "max_tokens": 100,
        "tools": [WEATHER],
    }
    told = events(calling_server, body)
    assert told[0]["type"] == "message_start"
    assert told[0]["message"]["content"] == []
    assert [event["type"] for event in told[-2:]] == ["message_delta", "message_stop"]
    open_block = None
    for event in told[1:-2]:
        if event["type"] == "content_block_start":
            assert open_block is None
            open_block = event["index"]
        assert event["index"] == open_block
        if event["type"] == "content_block_stop":
            open_block = None
    assert open_block is None
    starts = [event["content_block"] for event in told if event["type"] == "content_block_start"]
    assert [block["type"] for block in starts] == ["text", "tool_use"]
    assert told[-2]["delta"]["stop_reason"] == "tool_use"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_used(calling_server: Running, streamed: bool) -> None:
    client = client_of(calling_server)
    message: Message
    if streamed:
        with client.messages.stream(
            model="calling", max_tokens=100, messages=[USER], tools=[WEATHER]
        ) as stream:
            message = stream.get_final_message()
    else:
        message = client.messages.create(
            model="calling", max_tokens=100, messages=[USER], tools=[WEATHER]
        )
    assert message.stop_reason == "tool_use"
    used = message.content[-1]
    assert used.type == "tool_use"
    assert (used.name, used.input) == ("get_weather", {"city": "Rome"})
    assert used.id


def test_whoever_would_not_use_a_tool_has_to(silent_server: Running) -> None:
    free = ask(silent_server, "silent", tools=[WEATHER])
    assert [block["type"] for block in free["content"]] == ["text"]
    for choice in ({"type": "any"}, {"type": "tool", "name": "get_weather"}):
        message = ask(silent_server, "silent", tools=[WEATHER], tool_choice=choice, max_tokens=9)
        assert message["stop_reason"] == "max_tokens"  # it may not end before
    never = ask(silent_server, "silent", tools=[WEATHER], tool_choice={"type": "none"})
    assert never["stop_reason"] == "end_turn"


def test_results_go_back_before_what_is_said(calling_server: Running) -> None:
    body = {
        "model": "calling",
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "tools": [WEATHER],
        "messages": [
            USER,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": ""},
                    {"type": "text", "text": "I shall look."},
                    {
                        "type": "tool_use",
                        "id": "t1",
                        "name": "get_weather",
                        "input": {"city": "Rome"},
                    },
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "Sunny."},
                    {"type": "text", "text": "And tomorrow?"},
                ],
            },
        ],
    }
    counted = calling_server.post(MESSAGES + "/count_tokens", body).json()["input_tokens"]
    answer = ask(calling_server, **body)  # type: ignore[arg-type]
    usage = answer["usage"]
    assert usage["input_tokens"] + usage["cache_read_input_tokens"] == counted
    less = {**body, "messages": [USER]}
    assert calling_server.post(MESSAGES + "/count_tokens", less).json()["input_tokens"] < counted


def test_the_official_client_counts_tokens(thinking_server: Running) -> None:
    client = client_of(thinking_server)
    short = client.messages.count_tokens(model="thinking", messages=[USER])
    long = client.messages.count_tokens(model="thinking", messages=[USER], system="a" * 10)
    assert long.input_tokens >= short.input_tokens + 10


def test_what_ended_the_answer_is_said(thinking_server: Running) -> None:
    def end(**asked: object) -> tuple[str, str | None, str]:
        message = ask(thinking_server, "thinking", thinking={"type": "enabled"}, **asked)
        return message["stop_reason"], message["stop_sequence"], message["content"][-1]["text"]

    assert end(stop_sequences=["xyz", " there"]) == ("stop_sequence", " there", "Hello")
    assert end(max_tokens=5) == ("max_tokens", None, "Hello")


def test_a_schema_is_kept(noisy_chat_server: Running) -> None:
    form = {"format": {"type": "json_schema", "schema": {"enum": ["a", "b"]}}}
    message = ask(noisy_chat_server, "noisy", output_config=form)
    assert json.loads(message["content"][0]["text"]) in {"a", "b"}


@pytest.mark.parametrize(
    ("asked", "status", "param"),
    [
        ({"model": "other"}, 404, "model"),
        ({"max_tokens": None}, 400, "max_tokens"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "king", "content": "x"}]}, 400, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, 400, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "x"}]}]}, 400, "messages"),
        ({"tool_choice": {"type": "any"}}, 400, "tool_choice"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, 400, "tools"),
        ({"output_config": {"format": {"type": "x"}}}, 400, "output_config"),
        ({"messages": [{"role": "user", "content": "a" * 5000}]}, 400, None),
    ],
)
def test_what_is_wrong_is_said_in_anthropic_s_words(
    thinking_server: Running, asked: dict[str, object], status: int, param: str | None
) -> None:
    body = {"model": "thinking", "messages": [USER], "max_tokens": 9, **asked}
    for stream in (False, True):
        answer = thinking_server.post(MESSAGES, {**body, "stream": stream})
        told = answer.json()
        assert (answer.status_code, told["type"]) == (status, "error"), answer.text
        kind = "not_found_error" if status == 404 else "invalid_request_error"
        assert told["error"]["type"] == kind
        assert told["error"]["param"] == param
        assert told["request_id"] == answer.headers["x-request-id"]


def test_the_official_client_knows_the_errors(thinking_server: Running) -> None:
    client = client_of(thinking_server)
    with pytest.raises(NotFoundError):
        client.messages.create(model="other", max_tokens=9, messages=[USER])
    with pytest.raises(BadRequestError, match="is empty"):
        client.messages.create(model="thinking", max_tokens=9, messages=[])


def test_the_beginning_of_an_answer_is_continued(noisy_chat_server: Running) -> None:
    begun = [USER, {"role": "assistant", "content": "The best answer is ("}]
    free = ask(noisy_chat_server, "noisy", messages=begun, max_tokens=4, seed=1)
    anew = ask(noisy_chat_server, "noisy", max_tokens=4, seed=1)
    assert free["content"] != anew["content"]


def test_errors_on_the_way_to_a_handler_are_in_the_same_words(thinking_server: Running) -> None:
    foreign = {"Host": "elsewhere.example"}
    refused = thinking_server.client.post("/api/v1/messages", json={}, headers=foreign)
    unknown = thinking_server.client.get("/v1/messages/nothing")
    wrong_method = thinking_server.client.get("/v1/messages")
    for answer, status in ((refused, 403), (unknown, 404), (wrong_method, 405)):
        assert answer.status_code == status
        assert answer.json()["type"] == "error"
