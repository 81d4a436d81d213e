"""Fields under the names that vLLM, SGLang, llama-server and others gave them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jan_server.config import Settings

from tests import models
from tests.server.conftest import chatting
from tests.server.running import Running, running
from tests.server.test_fields import HI, PERSON, complete, refused


@pytest.mark.parametrize(
    "fields",
    [
        {"guided_json": PERSON},
        {"guided_json": json.dumps(PERSON)},
        {"structured_outputs": {"json": PERSON, "disable_fallback": True}},
        {"structured_outputs": {"json": json.dumps(PERSON), "regex": None}},
        {"json_schema": json.dumps(PERSON)},
    ],
)
def test_schemas_under_other_servers_names_hold(
    random_server: Running, fields: dict[str, object]
) -> None:
    text = complete(random_server, **fields, max_tokens=200)["choices"][0]["text"]
    assert json.loads(text)["age"] in (1, 2)


@pytest.mark.parametrize(
    "fields",
    [
        {"regex": "x[0-9]{3}y"},
        {"guided_regex": "x[0-9]{3}y"},
        {"structured_outputs": {"regex": "x[0-9]{3}y"}},
        {"guided_grammar": 'root ::= "x" [0-9] [0-9] [0-9] "y"'},
        {"ebnf": 'root ::= "x" [0-9] [0-9] [0-9] "y"'},
        {"structured_outputs": {"grammar": 'root ::= "x" [0-9] [0-9] [0-9] "y"'}},
        {"structured_outputs": {"choice": ["x123y", "x456y"]}},
        {"response_format": {"type": "regex", "pattern": "x[0-9]{3}y"}},
    ],
)
def test_patterns_and_grammars_hold_under_every_name(
    random_server: Running, fields: dict[str, object]
) -> None:
    text = complete(random_server, **fields, max_tokens=30)["choices"][0]["text"]
    assert re.fullmatch("x[0-9]{3}y", text)
    chat = {"messages": HI, "max_tokens": 30, **fields}
    answer = random_server.post("/v1/chat/completions", chat).json()
    assert re.fullmatch("x[0-9]{3}y", answer["choices"][0]["message"]["content"])


def test_guided_json_object_is_an_object(random_server: Running) -> None:
    for fields in ({"guided_json_object": True}, {"structured_outputs": {"json_object": True}}):
        text = complete(random_server, **fields, max_tokens=40)["choices"][0]["text"]
        assert text.startswith("{")


@pytest.mark.parametrize(
    "asked",
    [
        {"json": PERSON, "regex": "a"},
        {"surprise": 1},
        {"structural_tag": {"a": 1}},
        {"disable_any_whitespace": True, "json": PERSON},
        {"choice": "a"},
        {"regex": 1},
        {},
    ],
)
def test_structured_outputs_that_cannot_be_are_refused(
    random_server: Running, asked: dict[str, object]
) -> None:
    error = refused(random_server, "/v1/completions", structured_outputs=asked)
    assert error["param"] == "structured_outputs"


def test_a_prompt_s_log_probabilities_as_vllm_tells_them(random_server: Running) -> None:
    choice = complete(random_server, prompt="abc", prompt_logprobs=2, max_tokens=1)["choices"][0]
    first, *rest = choice["prompt_logprobs"]
    assert first is None
    (own,) = (one for one in rest[0].values() if one["decoded_token"] == "a")
    assert own["logprob"] < 0
    assert {one["rank"] for one in rest[0].values()} >= {1, 2}
    chat = {"messages": HI, "prompt_logprobs": 0, "max_tokens": 1}
    answer = random_server.post("/v1/chat/completions", chat).json()
    assert answer["prompt_logprobs"][0] is None
    assert len(answer["prompt_logprobs"]) == answer["usage"]["prompt_tokens"]
    error = refused(random_server, "/v1/completions", prompt_logprobs=1, stream=True)
    assert error["param"] == "prompt_logprobs"


def test_a_prompt_is_cut_at_its_beginning(alphabet_server: Running) -> None:
    cut = {"prompt": "xyzabc", "max_tokens": 1, "truncate_prompt_tokens": 3}
    answer = complete(alphabet_server, **cut)
    assert answer["usage"]["prompt_tokens"] == 3
    assert answer["prompt"] == "abc"
    assert answer["choices"][0]["text"] == "d"
    without = complete(alphabet_server, prompt="abc", max_tokens=1, add_special_tokens=False)
    assert without["usage"]["prompt_tokens"] == 3


@pytest.mark.parametrize("stream", [False, True])
def test_a_stop_text_stays_where_it_is_wanted(alphabet_server: Running, stream: bool) -> None:
    for name in ("include_stop_str_in_output", "no_stop_trim"):
        body = {"prompt": "a", "max_tokens": 20, "stop": ["ef"], name: True}
        if stream:
            frames = alphabet_server.events("/v1/completions", body)[:-1]
            text = "".join(frame["choices"][0]["text"] for frame in frames)
        else:
            text = complete(alphabet_server, **body)["choices"][0]["text"]
        assert text == "bcdef"


def test_thinking_is_turned_off_under_every_name(thinking_server: Running) -> None:
    for fields in (
        {"thinking_budget_tokens": 0},
        {"reasoning_budget_tokens": 0},
        {"thinking": {"type": "disabled"}},
        {"reasoning": {"enabled": False}},
        {"reasoning": {"effort": "none"}},
        {"reasoning_effort": "none"},
        {"enable_thinking": False},
        {"chat_template_kwargs": {"enable_thinking": False}},
    ):
        answer = thinking_server.post("/v1/chat/completions", {"messages": HI, **fields}).json()
        assert "</think>" in answer["prompt"], fields
    error = refused(
        thinking_server,
        "/v1/chat/completions",
        thinking={"type": "enabled", "budget_tokens": 5},
        thinking_budget_tokens=6,
    )
    assert error["param"] == "thinking"


def test_special_tokens_are_shown_where_they_are_wanted(random_path: Path) -> None:
    with running(Settings(model=str(random_path), threads=1, ctx_size=256)) as server:
        bias = {"logit_bias": {str(models.BOS): 100}, "temperature": 0, "max_tokens": 3}
        assert complete(server, **bias)["choices"][0]["text"] == ""
        shown = complete(server, **bias, skip_special_tokens=False)["choices"][0]["text"]
        assert shown == "<s>" * 3


def test_logit_biases_may_be_about_texts(random_server: Running) -> None:
    bias = {"logit_bias": {"q": 100}, "logit_bias_type": "tokens", "temperature": 0}
    assert complete(random_server, **bias, max_tokens=3)["choices"][0]["text"] == "qqq"
    letters = complete(random_server, samplers="kt", max_tokens=2)["generation_settings"]
    assert letters["samplers"] == ["top_k", "temperature"]


def test_only_allowed_tokens_come(random_server: Running) -> None:
    allowed = [*models.byte_tokens("abc")]
    answer = complete(random_server, allowed_token_ids=allowed, max_tokens=30, temperature=2)
    text = answer["choices"][0]["text"]
    assert len(text) == 30
    assert set(text) <= set("abc")
    assert refused(random_server, "/v1/completions", allowed_token_ids=[])["param"]
    outside = random_server.post("/v1/completions", {"prompt": "a", "allowed_token_ids": [99999]})
    assert (outside.status_code, outside.json()["error"]["param"]) == (422, "allowed_token_ids")


def test_bad_words_do_not_come(alphabet_server: Running) -> None:
    plain = {"prompt": "a", "max_tokens": 6, "temperature": 0}
    assert complete(alphabet_server, **plain)["choices"][0]["text"] == "bcdefg"
    for word in ("e", "cde"):
        text = complete(alphabet_server, **plain, bad_words=[word])["choices"][0]["text"]
        assert text.startswith("bcd")
        assert word not in text
    assert refused(alphabet_server, "/v1/completions", bad_words=[" "])["param"] == "bad_words"


def test_further_tokens_end_a_text(alphabet_server: Running) -> None:
    (end,) = models.byte_tokens("e")
    ended = {"max_tokens": 20, "stop_token_ids": [end], "temperature": 0}
    choice = complete(alphabet_server, prompt="a", **ended)["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == ("bcd", "stop")
    begun = {"messages": [*HI, {"role": "assistant", "content": "a"}], **ended}
    choice = alphabet_server.post("/v1/chat/completions", begun).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("bcd", "stop")
    later = complete(alphabet_server, prompt="a", stop_token_ids=[end], min_tokens=6, temperature=0)
    assert later["usage"]["completion_tokens"] >= 6
    assert "e" not in later["choices"][0]["text"]


def test_a_thought_ends_at_its_budget(tmp_path: Path) -> None:
    said = ["<think>", "One", " two", " three", "</think>", "Hello"]
    with chatting(tmp_path / "tags.gguf", said) as server:
        body: dict[str, Any] = {"messages": HI, "temperature": 0, "max_tokens": 20}
        whole = server.post("/v1/chat/completions", body).json()["choices"][0]["message"]
        assert (whole["reasoning_content"], whole["content"]) == ("One two three", "Hello")
        for fields in (
            {"thinking_budget_tokens": 2},
            {"reasoning_budget_tokens": 2},
            {"thinking_token_budget": 2},
            {"thinking": {"type": "enabled", "budget_tokens": 2}},
            {"reasoning": {"max_tokens": 2}},
        ):
            answer = server.post("/v1/chat/completions", body | fields).json()
            short = answer["choices"][0]["message"]
            assert short["reasoning_content"] == "One two", fields
        asked = body | {"thinking": {"type": "enabled", "budget_tokens": 1}}
        assert server.post("/v1/messages", asked).json()["content"][0]["thinking"] == "One"
