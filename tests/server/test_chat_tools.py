"""Tools: asked for, called, and answered, through the official client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionUserMessageParam

from tests import models
from tests.server.running import Running

CHAT = "/v1/chat/completions"
USER: ChatCompletionUserMessageParam = {"role": "user", "content": "What is the weather in Rome?"}
PARAMETERS: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 6}},
    "required": ["city"],
    "additionalProperties": False,
}


def tool(name: str) -> ChatCompletionFunctionToolParam:
    return {"type": "function", "function": {"name": name, "parameters": PARAMETERS}}


WEATHER, CLOCK = tool("get_weather"), tool("get_time")


def ask(server: Running, model: str, **further: object) -> dict[str, Any]:
    body: dict[str, object] = {"model": model, "messages": [USER], "tools": [WEATHER], **further}
    answer = server.post(CHAT, body)
    assert answer.status_code == 200, answer.text
    choice: dict[str, Any] = answer.json()["choices"][0]
    return choice


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_a_call_is_no_text(calling_server: Running, choice: str) -> None:
    answer = ask(calling_server, "calling", tool_choice=choice)
    assert answer["finish_reason"] == "tool_calls"
    (call,) = answer["message"]["tool_calls"]
    assert call["type"] == "function"
    assert call["id"].startswith("call_")
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Rome"}
    assert (answer["message"]["content"] or "").strip() in {"I shall look.", ""}


def test_a_streamed_call_comes_in_pieces(calling_server: Running) -> None:
    client = OpenAI(base_url=calling_server.url + "/v1", api_key="placeholder", max_retries=0)
    stream = client.chat.completions.create(
        model="calling",
        messages=[USER],
        tools=[WEATHER],
        stream=True,
    )
    content, arguments = "", ""
    ends: list[str] = []
    first: list[tuple[str | None, str | None]] = []
    for chunk in stream:
        choice = chunk.choices[0]
        content += choice.delta.content or ""
        for call in choice.delta.tool_calls or []:
            assert call.index == 0
            assert call.function
            if call.id:
                first.append((call.id, call.function.name))
            arguments += call.function.arguments or ""
        if choice.finish_reason:
            ends.append(choice.finish_reason)
    assert content.strip() == "I shall look."
    assert [name for _, name in first] == ["get_weather"]
    assert json.loads(arguments) == {"city": "Rome"}
    assert ends == ["tool_calls"]


def test_a_call_that_breaks_off_is_no_call_to_make(calling_server: Running) -> None:
    answer = ask(calling_server, "calling", max_tokens=3)
    assert answer["finish_reason"] == "length"


def test_none_leaves_the_text_alone(calling_server: Running) -> None:
    answer = ask(calling_server, "calling", tool_choice="none")
    assert "tool_calls" not in answer["message"]
    assert answer["finish_reason"] == "stop"


def test_whoever_would_not_call_has_to_when_it_is_required(silent_server: Running) -> None:
    likely = {str(models.FIRST_WORD + 1): 12}
    one: dict[str, object] = {"parallel_tool_calls": False, "logit_bias": likely}
    answer = ask(silent_server, "silent", **one)
    assert (answer["message"]["content"], answer["finish_reason"]) == ("Hello!", "stop")
    for seed in range(3):
        answer = ask(silent_server, "silent", tool_choice="required", seed=seed, **one)
        assert answer["finish_reason"] == "tool_calls", answer
        (call,) = answer["message"]["tool_calls"]
        assert call["function"]["name"] == "get_weather"
        assert set(json.loads(call["function"]["arguments"])) == {"city"}
    named = {"type": "function", "function": {"name": "get_time"}}
    answer = ask(silent_server, "silent", tools=[WEATHER, CLOCK], tool_choice=named, **one)
    (call,) = answer["message"]["tool_calls"]
    assert call["function"]["name"] == "get_time"


def test_functions_are_tools_of_before(calling_server: Running) -> None:
    body: dict[str, Any] = {
        "model": "calling",
        "messages": [USER],
        "functions": [WEATHER["function"]],
        "function_call": "auto",
    }
    choice = calling_server.post(CHAT, body).json()["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"]["name"] == "get_weather"
    frames = calling_server.events(CHAT, body)[:-1]
    deltas = [frame["choices"][0]["delta"].get("function_call", {}) for frame in frames]
    assert "".join(delta.get("name", "") for delta in deltas) == "get_weather"
    assert json.loads("".join(delta.get("arguments", "") for delta in deltas)) == {"city": "Rome"}


def test_a_result_goes_back_into_the_conversation(calling_server: Running) -> None:
    call = ask(calling_server, "calling")["message"]
    result = {
        "role": "tool",
        "tool_call_id": call["tool_calls"][0]["id"],
        "content": "Sunny.",
    }
    body = {"model": "calling", "messages": [USER, call, result], "tools": [WEATHER]}
    answer = calling_server.post(CHAT, body)
    assert answer.status_code == 200, answer.text
    assert "Sunny." in answer.json()["prompt"]


@pytest.mark.parametrize(
    ("asked", "status", "param"),
    [
        ({"tool_choice": "sometimes"}, 400, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "nope"}}}, 422, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, 400, "tool_choice"),
        ({"tools": [{"type": "function"}]}, 422, "tools"),
        ({"tools": [WEATHER], "functions": [WEATHER["function"]]}, 400, "functions"),
        ({"grammar": 'root ::= "x"'}, 400, "grammar"),
    ],
)
def test_what_is_wrong_with_tools_is_named(
    calling_server: Running, asked: dict[str, object], status: int, param: str
) -> None:
    body: dict[str, object] = {"model": "calling", "messages": [USER], "tools": [WEATHER], **asked}
    answer = calling_server.post(CHAT, body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["param"] == param


def test_a_template_without_tools_says_that_it_cannot_be_made_to_call(
    alphabet_server: Running,
) -> None:
    body: dict[str, object] = {"model": "alphabet", "messages": [USER], "tools": [WEATHER]}
    answer = alphabet_server.post(CHAT, body | {"tool_choice": "required"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_feature")
