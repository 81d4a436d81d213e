"""A prompt's own log-probabilities over HTTP: what evaluation harnesses score texts by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jan_server.config import Settings
from openai import OpenAI

from jan_engine import LLM, EngineOptions, Request
from tests import models
from tests.server.running import Running, running

TEXT = "the quick brown fox jumps over the lazy dog"


@pytest.fixture(scope="module")
def server(random_path: Path) -> Iterator[Running]:
    with running(Settings(model=str(random_path), parallel=4, ctx_size=512, threads=1)) as one:
        yield one


def test_they_are_the_engine_s_own(server: Running, random_path: Path) -> None:
    with LLM(random_path, EngineOptions(n_parallel=4, n_ctx=512, n_threads=1)) as llm:
        (told,) = llm.generate([Request(prompt=TEXT, prompt_logprobs=2, max_tokens=0)])
    assert told.prompt_logprobs
    client = OpenAI(base_url=server.url + "/v1", api_key="none")
    answer = client.completions.create(
        model="random", prompt=TEXT, echo=True, logprobs=2, max_tokens=0
    )
    choice = answer.choices[0]
    assert choice.text == TEXT
    logprobs = choice.logprobs
    assert logprobs
    assert logprobs.token_logprobs
    assert logprobs.tokens
    assert logprobs.top_logprobs
    assert len(logprobs.tokens) == len(TEXT) + 1  # a token per byte, and the text's beginning
    assert "".join(logprobs.tokens[1:]) == TEXT
    assert told.prompt_logprobs[0] is None
    assert logprobs.token_logprobs[0] is None
    expected = [place[0].logprob for place in told.prompt_logprobs[1:] if place]
    assert logprobs.token_logprobs[1:] == pytest.approx(expected, abs=1e-2)
    for token, own, best in zip(
        logprobs.tokens[1:], logprobs.token_logprobs[1:], logprobs.top_logprobs[1:], strict=True
    ):
        assert best[token] == own
        assert 2 <= len(best) <= 3


def test_a_stream_has_them_in_its_first_frame(server: Running) -> None:
    body = {"model": "random", "prompt": TEXT, "echo": True, "logprobs": 1, "max_tokens": 5}
    body |= {"temperature": 0}
    whole = server.post("/v1/completions", body).json()["choices"][0]
    frames = [f for f in server.events("/v1/completions", body) if f != "[DONE]"]
    joined: dict[str, list[Any]] = {name: [] for name in whole["logprobs"]}
    for frame in frames:
        told: dict[str, list[Any]] = frame["choices"][0]["logprobs"] or {}
        for name, values in told.items():
            joined[name] += values
    assert "".join(frame["choices"][0]["text"] for frame in frames) == whole["text"]
    assert joined["tokens"] == whole["logprobs"]["tokens"]
    assert joined["text_offset"] == whole["logprobs"]["text_offset"]
    assert joined["token_logprobs"][1:] == pytest.approx(
        whole["logprobs"]["token_logprobs"][1:], abs=1e-2
    )


def test_a_harness_s_batch_of_token_lists_is_scored_in_its_order(
    alphabet_server: Running,
) -> None:
    """The request and the arithmetic are those of lm-evaluation-harness' local-completions."""
    contexts = [("abc", "defg"), ("abc", "dxfg"), ("uvw", "xyz")]
    prompts = [models.byte_tokens(context + rest) for context, rest in contexts]
    body = {
        "model": "alphabet",
        "prompt": prompts,
        "temperature": 0,
        "max_tokens": 1,
        "logprobs": 1,
        "seed": 1234,
        "echo": True,
    }
    answer = alphabet_server.post("/v1/completions", body).json()
    found: list[tuple[float, bool]] = []
    for choice, (context, _) in zip(
        sorted(answer["choices"], key=lambda one: one["index"]), contexts, strict=True
    ):
        told = choice["logprobs"]
        rest = slice(len(context), -1)
        greedy = all(
            token == max(best, key=best.__getitem__)
            for token, best in zip(told["tokens"][rest], told["top_logprobs"][rest], strict=True)
        )
        found.append((sum(told["token_logprobs"][rest]), greedy))
    assert [greedy for _, greedy in found] == [True, False, True]
    assert found[1][0] < -5 < found[0][0]


def test_pieces_of_a_character_are_told_apart(server: Running) -> None:
    body = {"model": "random", "prompt": "é€", "echo": True, "logprobs": 0, "max_tokens": 0}
    told = server.post("/v1/completions", body).json()["choices"][0]["logprobs"]
    assert told["tokens"][1:3] == ["bytes:\\xc3", "bytes:\\xa9"]
    assert told["top_logprobs"][1] == {}


def test_lines_can_be_held_to_an_indentation(alphabet_server: Running) -> None:
    body = {"model": "alphabet", "prompt": "a", "n_indent": 4}
    assert alphabet_server.post("/v1/completions", body).json()["choices"][0]["text"]
