"""Whatever a caller sends, the answer is not "internal error" and the next caller is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jan_server.api.chat.schemas import ChatRequest
from jan_server.api.completions.schemas import CompletionRequest
from jan_server.api.messages.schemas import MessageRequest
from jan_server.config import Settings

from tests.server.running import Running, running

COMPLETIONS, CHAT, MESSAGES = "/v1/completions", "/v1/chat/completions", "/v1/messages"
NUMBERS = st.sampled_from(
    [0, -1, 1, 2, 0.5, -0.5, -2, 1e-30, 1e30, 2**31, -(2**31), 2**63, 2**64, -(2**63), 10**30]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), NUMBERS, st.text(max_size=8), st.sampled_from(["a", "top_k", "\\n"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(max_size=4), st.just("97")), inner, max_size=3),
    ),
    max_leaves=6,
)


def bodies(kind: type[msgspec.Struct]) -> st.SearchStrategy[dict[str, Any]]:
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    return st.dictionaries(st.sampled_from(names), VALUES, max_size=6)


IS_FINE = {200, 400, 404, 413, 422, 503}


def check(server: Running, path: str, raw: bytes) -> None:
    answer = server.client.post(path, content=raw)
    assert answer.status_code in IS_FINE, answer.text
    if answer.status_code != 200:
        error = answer.json()["error"]
        assert error["message"]
        assert error["code"] not in {"internal_error", "model_error"}


def check_short(server: Running, path: str, whole: dict[str, Any]) -> None:
    if not isinstance(whole.get("n"), int) or whole["n"] > 4:
        whole["n"] = 2
    for limit in ("max_tokens", "max_completion_tokens", "n_predict"):  # else it takes too long
        if isinstance(whole.get(limit), int):
            whole[limit] = min(whole[limit], 8) if whole[limit] >= 0 else whole[limit]
    whole.setdefault("max_tokens", 4)
    whole["t_max_predict_ms"] = whole.get("t_max_predict_ms") or 200
    check(server, path, msgspec.json.encode(whole))


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=bodies(CompletionRequest), stream=st.booleans())
def test_no_prompt_is_an_internal_error(
    random_server: Running, body: dict[str, Any], stream: bool
) -> None:
    check_short(
        random_server, COMPLETIONS, {"model": "random", "prompt": "ab", **body, "stream": stream}
    )


TOOL = {"type": "function", "function": {"name": "f"}}
KINDS = st.sampled_from(["text", "image_url", "x", 1])
ROLES = st.sampled_from(["user", "assistant", "tool", "system", "developer", "x"])


@st.composite
def conversations(draw: st.DrawFn) -> list[Any]:
    messages: list[Any] = []
    for _ in range(draw(st.integers(0, 3))):
        message: dict[str, Any] = {"role": draw(ROLES)}
        part = {"type": draw(KINDS), "text": draw(SCALARS)}
        message["content"] = draw(st.one_of(SCALARS, st.just([part])))
        if draw(st.booleans()):
            message["tool_calls"] = draw(st.one_of(VALUES, st.just([{"id": "1", **TOOL}])))
        messages.append(message)
    return messages


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=bodies(ChatRequest),
    messages=conversations(),
    with_tools=st.booleans(),
    stream=st.booleans(),
)
def test_no_conversation_is_an_internal_error(
    noisy_chat_server: Running,
    body: dict[str, Any],
    messages: list[Any],
    with_tools: bool,
    stream: bool,
) -> None:
    whole: dict[str, Any] = {"model": "noisy", "messages": messages, **body, "stream": stream}
    if with_tools:
        whole["tools"] = [TOOL]
    check_short(noisy_chat_server, CHAT, whole)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=bodies(MessageRequest), messages=conversations(), stream=st.booleans())
def test_no_message_is_an_internal_error(
    noisy_chat_server: Running, body: dict[str, Any], messages: list[Any], stream: bool
) -> None:
    whole: dict[str, Any] = {"model": "noisy", "messages": messages, **body, "stream": stream}
    if not isinstance(whole.get("max_tokens"), str | None):
        whole["max_tokens"] = 4
    check(noisy_chat_server, MESSAGES, msgspec.json.encode(whole))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"model":"random","prompt":"\xff"}',
        b'{"model":"random","prompt":"\\ud800"}',
        b'{"model":"random","prompt":"a","seed":1e999}',
        b'{"model":"random","prompt":"a","top_p":NaN}',
        b'{"model":"random","prompt":"a","seed":' + b"9" * 6000 + b"}",
        b'{"model":"random","prompt":' + b"[" * 100_000,
        b'{"model":"random","prompt":"a","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"model":"random","prompt":[1,"a"]}',
        b'{"model":"random","prompt":[]}',
        b'{"model":"random","prompt":[[]]}',
        b'{"model":"random","prompt":[-1]}',
        b'{"model":"random","prompt":[99999999999]}',
        b'{"model":"random","prompt":{"prompt_string":"a","multimodal_data":["x"]}}',
        b'{"model":"random"}',
    ],
)
def test_a_broken_body_is_the_caller_s_fault(random_server: Running, raw: bytes) -> None:
    for path in (COMPLETIONS, CHAT, MESSAGES, "/extras/tokenize", "/extras/detokenize"):
        answer = random_server.client.post(path, content=raw)
        assert answer.status_code in {400, 422}, (path, answer.text)


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"model": "random", "prompt": "a", "surprise": 1}, 400, "surprise"),
        ({"model": "random"}, 400, "prompt"),
        ({"model": "other", "prompt": "a"}, 404, "model"),
        ({"model": 1, "prompt": "a"}, 422, "model"),
        ({"model": "random", "prompt": "a", "temperature": 2.5}, 422, "temperature"),
        ({"model": "random", "prompt": "a", "temperature": "hot"}, 422, "temperature"),
        ({"model": "random", "prompt": "a", "n": 0}, 422, "n"),
        ({"model": "random", "prompt": "a", "max_tokens": -1}, 422, "max_tokens"),
        ({"model": "random", "prompt": "a", "presence_penalty": 3}, 422, "presence_penalty"),
        ({"model": "random", "prompt": "a", "samplers": ["nope"]}, 400, "samplers"),
        ({"model": "random", "prompt": "a", "logit_bias": {"x": 1}}, 400, "logit_bias"),
        ({"model": "random", "prompt": "a", "logit_bias": {"9999": 1}}, 422, "logit_bias"),
        ({"model": "random", "prompt": "a", "logit_bias": {"1": 101}}, 400, "logit_bias"),
        ({"model": "random", "prompt": "a", "id_slot": 99}, 400, "id_slot"),
        ({"model": "random", "prompt": "a", "lora": [{"id": 0, "scale": 1}]}, 400, "lora"),
        ({"model": "random", "prompt": "a", "suffix": "b"}, 400, "suffix"),
        ({"model": "random", "prompt": "a", "n": 3, "best_of": 2}, 400, "best_of"),
        ({"model": "random", "prompt": "a", "echo": True, "n_probs": 1}, 400, "n_probs"),
        ({"model": "random", "prompt": "a", "dry_sequence_breakers": "x"}, 422, None),
    ],
)
def test_a_wrong_value_names_its_field(
    random_server: Running, body: dict[str, object], status: int, param: str | None
) -> None:
    for stream in (False, True):
        answer = random_server.post("/v1/completions", body | {"stream": stream})
        assert answer.status_code == status, answer.text
        assert param is None or answer.json()["error"]["param"] == param


def test_one_switch_makes_every_wrong_value_the_same_status(random_path: Path) -> None:
    with running(Settings(model=str(random_path), threads=1, validation_status=400)) as server:
        answer = server.post("/v1/completions", {"model": 1, "prompt": "a"})
        assert answer.status_code == 400
        refused = server.post("/v1/completions", {"model": "random", "prompt": [-1]})
        assert refused.status_code == 400
