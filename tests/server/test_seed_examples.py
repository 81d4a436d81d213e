"""The examples of the first seed, word for word, under the model name they have there."""

from __future__ import annotations

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


def test_a_missing_model_is_the_printed_error(gemma: Running) -> None:
    error = gemma.post("/v1/completions", {"prompt": "a"}).json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["code"] == "invalid_parameter"
    assert error["message"] == "Parameter 'model' is required"
    assert error["param"] == "model"
    assert error["request_id"].startswith("req_")
