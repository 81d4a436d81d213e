"""Bodies of one request that others would feel, if anything on the event loop grew with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jan_server.config import Settings

from tests.server.canary import nobody_waits
from tests.server.running import Running, running

COMPLETIONS = "/v1/completions"
STREAM = {"model": "random", "prompt": "a", "n_predict": -1, "ignore_eos": True}


@pytest.fixture(scope="module")
def server(random_path: Path) -> Iterator[Running]:
    settings = Settings(
        model=str(random_path), parallel=4, ctx_size=512, threads=1, context_shift=True
    )
    with running(settings) as server:
        yield server


def many(part: bytes, n_bytes: int) -> bytes:
    return b"[" + b",".join([part] * (n_bytes // (len(part) + 1))) + b"]"


@pytest.mark.parametrize(
    ("path", "raw", "statuses"),
    [
        (COMPLETIONS, b'{"model":1,"zzz":' + many(b"[]", 15 << 20) + b"}", {413}),
        (COMPLETIONS, b'{"model":1,"zzz":' + many(b"[]", 200_000) + b"}", {400, 422}),
        (COMPLETIONS, b'{"prompt":"a","json_schema":{"a":' + many(b"[]", 15 << 20) + b"}}", {413}),
        (COMPLETIONS, b'{"prompt":"a","json_schema":{"a":' + many(b"[]", 290_000) + b"}}", {400}),
        ("/v1/embeddings", b'{"input":' + many(b'"a"', 7 << 20) + b"}", {400}),
        ("/extras/detokenize", b'{"tokens":' + many(b"97", 3 << 20) + b"}", {200}),
        ("/v1/chat/completions", b'{"messages":' + many(b"{}", 15 << 20) + b"}", {413}),
    ],
    ids=["unknown", "unknown-small", "schema", "schema-small", "inputs", "ids", "messages"],
)
def test_nobody_waits_for_a_large_body(
    server: Running, path: str, raw: bytes, statuses: set[int]
) -> None:
    def attack() -> None:
        assert server.client.post(path, content=raw).status_code in statuses

    nobody_waits(server.url, attack)


def test_nobody_waits_for_the_biases_of_many_choices(server: Running) -> None:
    texts = [[f"{number:04} " + "word " * 10, 1] for number in range(1024)]
    body = {"prompt": "a", "max_tokens": 1, "logit_bias": texts, "n": 128}

    def attack() -> None:
        assert server.post(COMPLETIONS, body).status_code in {200, 400, 503}

    nobody_waits(server.url, attack)
    body["logit_bias"] = [["word " * 1000, 1]] * 100
    refused = server.post(COMPLETIONS, body).json()["error"]
    assert (refused["code"], refused["param"]) == ("invalid_parameter", "logit_bias")


def test_nobody_waits_for_a_long_echo(server: Running) -> None:
    prompts = [[97 + number % 20] * 400 for number in range(16)]
    body = {"prompt": prompts, "max_tokens": 1, "echo": True, "logprobs": 20}

    def attack() -> None:
        answer = server.post(COMPLETIONS, body)
        assert answer.status_code == 200
        assert len(answer.json()["choices"][15]["logprobs"]["tokens"]) >= 400

    nobody_waits(server.url, attack)


def test_texts_may_hold_what_values_may_not(server: Running) -> None:
    body = {"input": '[{:,\\"' * 200_000}
    assert server.post("/extras/tokenize/count", body).json()["count"] > 0


def test_a_number_that_is_none_is_named(server: Running) -> None:
    for field, text in (("logit_bias", '{"5": 1e999}'), ("temperature", "1e999")):
        raw = f'{{"prompt": "a", "{field}": {text}}}'
        error = server.client.post(COMPLETIONS, content=raw).json()["error"]
        assert error["param"] == field
        assert "range" in error["message"]


def test_a_name_that_answers_repeat_is_short(server: Running) -> None:
    for path, field in ((COMPLETIONS, "prompt"), ("/v1/embeddings", "input")):
        error = server.post(path, {"model": "m" * 257, field: "a"}).json()["error"]
        assert error["param"] == "model"
