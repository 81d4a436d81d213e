"""/v1/chat/completions, mostly through the official client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.chat import ChatCompletionUserMessageParam

from tests.server.running import Running

CHAT = "/v1/chat/completions"
USER: ChatCompletionUserMessageParam = {"role": "user", "content": "Hello!"}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 4}, "age": {"enum": [1, 2, 3]}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture
def client(thinking_server: Running) -> OpenAI:
    return OpenAI(base_url=thinking_server.url + "/v1", api_key="placeholder", max_retries=0)


def ask(server: Running, model: str = "thinking", **further: object) -> dict[str, Any]:
    answer = server.post(CHAT, {"model": model, "messages": [USER], **further})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def refusal(server: Running, **further: object) -> tuple[int, str, str]:
    body = {"model": "thinking", "messages": [USER], **further}
    whole, streamed = (server.post(CHAT, {**body, "stream": stream}) for stream in (False, True))
    assert whole.status_code == streamed.status_code
    error = whole.json()["error"]
    return whole.status_code, error["code"], error["param"]


def test_an_answer_is_a_message_with_its_reasoning_apart(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="thinking", messages=[USER])
    assert answer.id.startswith("chatcmpl-")
    assert answer.object == "chat.completion"
    (choice,) = answer.choices
    assert choice.message.role == "assistant"
    assert choice.message.content == "Hello there, you."
    message = choice.message.model_dump()
    assert message["reasoning_content"].strip() == "A friendly greeting."
    assert choice.finish_reason == "stop"
    assert answer.usage
    assert answer.usage.completion_tokens == 8
    assert answer.usage.completion_tokens_details
    assert answer.usage.completion_tokens_details.reasoning_tokens
    assert answer.usage.prompt_tokens_details


def test_a_stream_says_the_same_as_a_whole_answer(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="thinking",
        messages=[USER],
        n=2,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert len({(chunk.id, chunk.created) for chunk in chunks}) == 1
    texts, thoughts, ends = ["", ""], ["", ""], ["", ""]
    seen: set[int] = set()
    for chunk in chunks[:-1]:
        (choice,) = chunk.choices
        if choice.index not in seen:
            assert choice.delta.role == "assistant"
            seen.add(choice.index)
        texts[choice.index] += choice.delta.content or ""
        thoughts[choice.index] += choice.delta.model_dump().get("reasoning_content") or ""
        ends[choice.index] += choice.finish_reason or ""
    assert texts == ["Hello there, you."] * 2
    assert [text.strip() for text in thoughts] == ["A friendly greeting."] * 2
    assert ends == ["stop", "stop"]
    last = chunks[-1]
    assert not last.choices
    assert last.usage
    assert last.usage.completion_tokens == 16


def test_the_last_chunk_of_a_choice_has_the_details_and_done_follows(
    thinking_server: Running,
) -> None:
    frames = thinking_server.events(CHAT, {"model": "thinking", "messages": [USER]})
    assert frames.pop() == "[DONE]"
    assert not any("timings" in frame for frame in frames[:-1])
    last = frames[-1]
    assert last["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]
    assert last["prompt"].endswith("<|im_start|>assistant\n")
    assert last["timings"]["predicted_n"] == 8
    assert "usage" not in last


def test_reasoning_may_stay_in_the_content(thinking_server: Running) -> None:
    message = ask(thinking_server, reasoning_format="none")["choices"][0]["message"]
    assert message["content"].startswith("<think>")
    assert "reasoning_content" not in message


def test_thinking_is_switched_off_in_each_spelling(thinking_server: Running) -> None:
    spellings: list[dict[str, Any]] = [
        {"enable_thinking": False},
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"reasoning_effort": "none"},
    ]
    for asked in spellings:
        prompt: str = ask(thinking_server, max_tokens=1, **asked)["prompt"]
        assert prompt.endswith("<think>\n\n</think>\n\n")
    assert "think" not in ask(thinking_server, max_tokens=1)["prompt"]


def test_limits_and_stops_end_an_answer(thinking_server: Running) -> None:
    def end(asked: dict[str, Any]) -> tuple[str, str]:
        choice = ask(thinking_server, **asked)["choices"][0]
        return choice["message"]["content"], choice["finish_reason"]

    assert end({"max_tokens": 6}) == ("Hello there", "length")
    assert end({"max_tokens": 1, "max_completion_tokens": 5}) == ("Hello", "length")
    assert end({"stop": " the"}) == ("Hello", "stop")
    assert end({"max_tokens": 2}) == ("", "length")
    assert end({"n_predict": 0}) == ("", "length")


def test_log_probabilities_have_either_shape(client: OpenAI, thinking_server: Running) -> None:
    answer = client.chat.completions.create(
        model="thinking",
        messages=[USER],
        logprobs=True,
        top_logprobs=2,
    )
    logprobs = answer.choices[0].logprobs
    assert logprobs
    assert logprobs.content
    assert len(logprobs.content) == 8
    assert [one.token for one in logprobs.content][4:7] == ["Hello", " there", ", you."]
    assert all(len(one.top_logprobs) == 2 for one in logprobs.content)
    as_list = ask(thinking_server, n_probs=2)["choices"][0]["logprobs"]
    assert [one["token"] for one in as_list] == [one.token for one in logprobs.content]


def test_a_stream_has_the_log_probabilities_of_every_token(thinking_server: Running) -> None:
    body = {
        "model": "thinking",
        "messages": [USER],
        "logprobs": True,
        "return_tokens": True,
        "timings_per_token": True,
    }
    frames = thinking_server.events(CHAT, body)[1:-1]
    logprobs = [frame["choices"][0]["logprobs"] for frame in frames]
    told = [one["token"] for some in logprobs if some for one in some["content"]]
    assert len(told) == 8
    assert told[4:7] == ["Hello", " there", ", you."]
    assert sum(len(frame.get("tokens", [])) for frame in frames) == 8
    content = "".join(frame["choices"][0]["delta"].get("content", "") for frame in frames)
    assert content == "Hello there, you."


def test_a_stream_tells_how_far_its_prompt_is(thinking_server: Running) -> None:
    body = {"model": "thinking", "messages": [USER], "return_progress": True, "cache_prompt": False}
    first, *frames = thinking_server.events(CHAT, body)[:-1]
    assert first["choices"][0]["delta"]["role"] == "assistant"
    told = [frame["prompt_progress"] for frame in frames if "prompt_progress" in frame]
    total = frames[-1]["tokens_evaluated"]
    assert [(one["total"], one["cache"]) for one in told] == [(total, 0)] * len(told)
    assert told[-1]["processed"] == total
    content = "".join(frame["choices"][0]["delta"].get("content", "") for frame in frames)
    assert content == "Hello there, you."


@pytest.mark.parametrize(
    "asked",
    [
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "p", "schema": SCHEMA},
            }
        },
        {"response_format": {"type": "json_object", "schema": SCHEMA}},
        {"json_schema": SCHEMA},
    ],
)
def test_a_schema_is_kept(noisy_chat_server: Running, asked: dict[str, Any]) -> None:
    closing = [['"', 6], ["}", 6], ["</think>", 2]]
    answer = ask(
        noisy_chat_server,
        "noisy",
        enable_thinking=False,
        logit_bias=closing,
        seed=1,
        max_tokens=800,
        **asked,
    )
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "stop", choice
    found = json.loads(choice["message"]["content"])
    assert set(found) == {"name", "age"}


def test_a_grammar_and_choices_are_kept(noisy_chat_server: Running) -> None:
    def text(asked: dict[str, Any]) -> str:
        answer = ask(noisy_chat_server, "noisy", max_tokens=20, **asked)
        content: str = answer["choices"][0]["message"]["content"]
        return content

    assert text({"guided_choice": ["yes", "no"]}) in {"yes", "no"}
    assert set(text({"grammar": "root ::= [xy]+"})) <= set("xy")


def test_roles_and_parts_are_read(thinking_server: Running) -> None:
    parts = [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]
    called = {"name": "f", "arguments": '{"a":1}'}
    calls = [{"id": "c1", "type": "function", "function": called}]
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "Forty-two."},
        {"role": "user", "content": "And?"},
    ]
    answer = thinking_server.post(CHAT, {"model": "thinking", "messages": messages})
    assert answer.status_code == 200, answer.text
    prompt: str = answer.json()["prompt"]
    assert prompt.startswith("<|im_start|>system\nBe brief.")
    for text in ("One.", "Two.", '"name": "f"', "Forty-two.", "And?"):
        assert text in prompt


def test_the_beginning_of_an_answer_is_continued(thinking_server: Running) -> None:
    begun = [USER, {"role": "assistant", "content": "Hello\n"}]
    body: dict[str, object] = {"model": "thinking", "messages": begun}
    answer = thinking_server.post(CHAT, body).json()
    assert answer["prompt"].endswith("Hello\n")
    asked_anew = thinking_server.post(CHAT, body | {"add_generation_prompt": True}).json()
    assert asked_anew["prompt"].endswith("<|im_start|>assistant\n")
    same = thinking_server.post(CHAT, body | {"continue_final_message": False}).json()
    assert same["prompt"] == asked_anew["prompt"]


def test_all_sampling_fields_arrive(noisy_chat_server: Running) -> None:
    answer = ask(noisy_chat_server, "noisy", max_tokens=4, top_k=7, seed=3, dry_multiplier=0.5)
    settings = answer["generation_settings"]
    assert (settings["top_k"], settings["seed"], settings["dry_multiplier"]) == (7, 3, 0.5)
    same = ask(noisy_chat_server, "noisy", max_tokens=4, top_k=7, seed=3, dry_multiplier=0.5)
    assert same["choices"] == answer["choices"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"messages": []}, (400, "invalid_parameter", "messages")),
        ({"messages": None}, (400, "invalid_parameter", "messages")),
        ({"messages": [{"role": "king", "content": "x"}]}, (422, "invalid_parameter", "messages")),
        ({"messages": [{"role": "user"}]}, (400, "invalid_parameter", "messages")),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
            (400, "model_not_multimodal", "messages"),
        ),
        ({"model": "other"}, (404, "model_not_found", "model")),
        ({"top_logprobs": 3}, (400, "invalid_parameter", "top_logprobs")),
        ({"top_logprobs": 21, "logprobs": True}, (422, "invalid_parameter", "top_logprobs")),
        ({"temperature": 3}, (422, "invalid_parameter", "temperature")),
        ({"conversation": "conv_1"}, (404, "conversation_not_found", "conversation")),
        ({"conversation": {}}, (400, "unsupported_feature", "conversation")),
        ({"grammar": "root ::= ("}, (400, "invalid_parameter", "grammar")),
        ({"grammar": "root ::= x", "json_schema": {}}, (400, "invalid_parameter", "json_schema")),
        ({"reasoning_format": "x"}, (422, "invalid_parameter", "reasoning_format")),
        (
            {"chat_template_kwargs": {"messages": 1}},
            (422, "invalid_parameter", "chat_template_kwargs"),
        ),
        ({"tool_choice": "required"}, (400, "invalid_parameter", "tool_choice")),
    ],
)
def test_what_is_wrong_is_named(
    thinking_server: Running, asked: dict[str, object], expected: tuple[int, str, str]
) -> None:
    assert refusal(thinking_server, **asked) == expected


def test_a_prompt_that_is_too_long_says_so(client: OpenAI) -> None:
    long: ChatCompletionUserMessageParam = {"role": "user", "content": "a" * 5000}
    with pytest.raises(BadRequestError) as refused:
        client.chat.completions.create(model="thinking", messages=[long], stream=True)
    assert refused.value.code == "context_length_exceeded"
    with pytest.raises(NotFoundError):
        client.chat.completions.create(model="other", messages=[USER])
