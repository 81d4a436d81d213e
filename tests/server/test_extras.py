"""/extras: tokens of texts and back."""

from __future__ import annotations

import pytest

from tests import models
from tests.server.running import Running


def test_a_text_becomes_tokens_and_the_same_text_again(alphabet_server: Running) -> None:
    text = "Hello, world!"
    tokens = alphabet_server.post("/extras/tokenize", {"input": text}).json()["tokens"]
    assert tokens == models.byte_tokens(text)
    count = alphabet_server.post("/v1/extras/tokenize/count", {"input": text, "model": "alphabet"})
    assert count.json() == {"count": len(tokens)}
    back = alphabet_server.post("/extras/detokenize", {"tokens": tokens})
    assert back.json() == {"text": text}


def test_special_tokens_are_read_but_not_added(alphabet_server: Running) -> None:
    def tokens(**asked: object) -> object:
        return alphabet_server.post("/extras/tokenize", {"input": "</s>", **asked}).json()["tokens"]

    assert tokens() == [models.EOS]
    assert tokens(add_special=True) == [models.BOS, models.EOS]
    assert tokens(parse_special=False) == models.byte_tokens("</s>")


def test_pieces_that_are_no_text_are_bytes(alphabet_server: Running) -> None:
    asked = {"input": "aé", "with_pieces": True}
    pieces = alphabet_server.post("/extras/tokenize", asked).json()["tokens"]
    assert [piece["piece"] for piece in pieces] == ["a", [0xC3], [0xA9]]


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "input"),
        ({"input": None}, 400, "input"),
        ({"input": 3}, 422, "input"),
        ({"input": "a", "model": "other"}, 404, "model"),
        ({"input": "a", "add_special": "yes"}, 422, "add_special"),
    ],
)
def test_a_wrong_request_names_its_field(
    alphabet_server: Running, body: dict[str, object], status: int, param: str
) -> None:
    for path in ("/extras/tokenize", "/extras/tokenize/count"):
        answer = alphabet_server.post(path, body)
        assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


def test_a_token_outside_the_vocabulary_is_refused(alphabet_server: Running) -> None:
    for token in (-1, 100_000, 2**40):
        answer = alphabet_server.post("/extras/detokenize", {"tokens": [token]})
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "tokens")
