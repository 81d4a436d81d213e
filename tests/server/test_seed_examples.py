"""The examples of the first seed, word for word, under the model name they have there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jan_server.config import Settings

from tests.server.running import Running, running

MODEL = "gemma-2-2b-it-Q8_0"
STOP = ["\n\n", "def ", "class "]
COMPLETIONS: dict[str, dict[str, object]] = {
    "basic": {
        "model": MODEL,
        "prompt": "Once upon a time",
        "max_tokens": 50,
        "temperature": 0.7,
    },
    "creative": {
        "model": MODEL,
        "prompt": "Write a short poem about coding:",
        "max_tokens": 150,
        "temperature": 1,
        "top_p": 0.95,
    },
    "code": {
        "model": MODEL,
        "prompt": "# Python function to calculate fibonacci\ndef fibonacci(n):",
        "max_tokens": 200,
        "temperature": 0.3,
        "stop": STOP,
    },
}
CHATS: dict[str, dict[str, object]] = {
    "simple": {
        "model": MODEL,
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
        "max_tokens": 100,
        "temperature": 0.7,
    },
    "system": {
        "model": MODEL,
        "messages": [
            {
                "role": "system",
                "content": "You are a helpful assistant that speaks like a pirate.",
            },
            {"role": "user", "content": "Tell me about the weather today."},
        ],
        "max_tokens": 150,
        "temperature": 0.8,
    },
    "conversation": {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "You are a knowledgeable AI assistant."},
            {"role": "user", "content": "What is machine learning?"},
            {
                "role": "assistant",
                "content": "Machine learning is a subset of artificial intelligence that enables "
                "systems to learn and improve from experience without being explicitly programmed.",
            },
            {"role": "user", "content": "Can you give me a simple example?"},
        ],
        "max_tokens": 200,
        "temperature": 0.7,
    },
    "streaming": {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Write a haiku about programming"}],
        "stream": True,
        "temperature": 0.9,
    },
    "json_mode": {
        "model": MODEL,
        "messages": [
            {
                "role": "user",
                "content": "List 3 programming languages with their main use cases in JSON format",
            }
        ],
        "max_tokens": 200,
        "temperature": 0.5,
        "response_format": {"type": "json_object"},
    },
}
DEFAULTS: dict[str, object] = {  # of the second seed, its first breaker as it is printed
    "stream": False,
    "stop": [],
    "temperature": 0.8,
    "dynatemp_range": 0,
    "dynatemp_exponent": 1,
    "top_k": 40,
    "top_p": 0.95,
    "min_p": 0.05,
    "typical_p": 1,
    "n_predict": 8,
    "n_indent": 0,
    "n_keep": 0,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "repeat_penalty": 1.1,
    "repeat_last_n": 64,
    "dry_multiplier": 0,
    "dry_base": 1.75,
    "dry_allowed_length": 2,
    "dry_penalty_last_n": -1,
    "dry_sequence_breakers": ["\\n", ":", '"', "*"],
    "xtc_probability": 0,
    "xtc_threshold": 0.1,
    "mirostat": 0,
    "mirostat_tau": 5,
    "mirostat_eta": 0.1,
    "seed": -1,
    "ignore_eos": False,
    "logit_bias": {},
    "n_probs": 0,
    "min_keep": 0,
    "t_max_predict_ms": 0,
    "id_slot": -1,
    "cache_prompt": True,
    "return_tokens": False,
    "samplers": ["dry", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"],
    "timings_per_token": False,
    "return_progress": False,
    "post_sampling_probs": False,
    "lora": [],
    "multimodal_data": [],
}
TOLD_OTHERWISE = {"samplers", "logit_bias", "dry_sequence_breakers"}  # in llama.cpp's own form
STREAMING: dict[str, object] = {
    "model": MODEL,
    "prompt": "Explain quantum computing in simple terms:",
    "max_tokens": 300,
    "temperature": 0.7,
    "stream": True,
}


@pytest.fixture(scope="module")
def gemma(random_path: Path) -> Iterator[Running]:
    with running(Settings(model=str(random_path), alias=MODEL, threads=1)) as server:
        yield server


@pytest.mark.parametrize("name", sorted(COMPLETIONS))
def test_a_completion_works_as_printed(gemma: Running, name: str) -> None:
    body = COMPLETIONS[name]
    answer = gemma.post("/v1/completions", body)
    assert answer.status_code == 200
    assert answer.json()["object"] == "text_completion"
    for text in STOP if "stop" in body else []:
        assert text not in answer.json()["choices"][0]["text"]


def test_the_stream_ends_with_done_whatever_the_content_type(gemma: Running) -> None:
    assert gemma.events("/v1/completions", STREAMING)[-1] == "[DONE]"
    labelled = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = gemma.post("/api/v1/completions", STREAMING, headers=labelled)
    assert answer.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("name", sorted(CHATS))
def test_a_chat_works_as_printed(gemma: Running, name: str) -> None:
    body = CHATS[name]
    if "stream" in body:
        assert gemma.events("/v1/chat/completions", body)[-1] == "[DONE]"
        return
    answer = gemma.post("/api/v1/chat/completions", body)
    assert answer.status_code == 200, answer.text
    choice = answer.json()["choices"][0]
    assert choice["message"]["role"] == "assistant"
    if "response_format" in body and choice["finish_reason"] == "stop":
        assert isinstance(json.loads(choice["message"]["content"]), dict)


def test_a_chat_takes_every_default_as_printed(gemma: Running) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], **DEFAULTS}
    answer = gemma.post("/v1/chat/completion", body)
    assert answer.status_code == 200, answer.text
    whole = answer.json()
    for field in (
        "generation_settings",
        "prompt",
        "truncated",
        "tokens_cached",
        "tokens_evaluated",
    ):
        assert field in whole
    settings = whole["generation_settings"]
    for name in DEFAULTS.keys() - TOLD_OTHERWISE:
        assert settings[name] == pytest.approx(DEFAULTS[name]), name
    assert settings["logit_bias"] == []
    assert settings["dry_sequence_breakers"] == ["\n", ":", '"', "*"]
    assert [name for name in settings["samplers"] if name not in ("penalties", "top_n_sigma")] == [
        "dry",
        "top_k",
        "typical_p",
        "top_p",
        "min_p",
        "xtc",
        "temperature",
    ]


def test_models_are_listed_as_printed(gemma: Running) -> None:
    listed = gemma.get("/v1/models").json()
    assert listed["object"] == "list"
    for item in listed["data"]:
        assert (item["object"], item["owned_by"]) == ("model", "jan")
        assert isinstance(item["created"], int)


def test_tokenising_works_as_printed(gemma: Running) -> None:
    tokens = gemma.post("/extras/tokenize", {"input": "Hello, world!", "model": MODEL}).json()
    assert list(tokens) == ["tokens"]
    assert all(isinstance(token, int) for token in tokens["tokens"])
    asked = {"input": "How many tokens does this text have?", "model": MODEL}
    assert list(gemma.post("/extras/tokenize/count", asked).json()) == ["count"]


def test_a_missing_model_is_the_printed_error(several: Running) -> None:
    error = several.post("/v1/chat/completions", {"messages": []}).json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["code"] == "invalid_parameter"
    assert error["message"] == "Parameter 'model' is required"
    assert error["param"] == "model"
    assert error["request_id"].startswith("req_")
