"""Tokenising, held to llama.cpp's own expected ids."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from jan_engine import InvalidRequest, Model
from tests import models
from tests.conftest import ROOT

GOLDEN = sorted((ROOT / "vendor/llama.cpp/tree/models").glob("ggml-vocab-*.gguf.inp"))
SEPARATOR = "\n__ggml_vocab_test__\n"


def test_the_golden_data_is_there() -> None:
    assert len(GOLDEN) == 15


@pytest.mark.parametrize("inputs", GOLDEN, ids=lambda path: path.name.split(".")[0])
def test_token_ids_equal_upstreams(inputs: Path) -> None:
    model = Model(inputs.with_suffix(""), vocab_only=True)
    texts = inputs.read_bytes().decode().removesuffix(SEPARATOR).split(SEPARATOR)
    expected = inputs.with_suffix(".out").read_text().splitlines()
    assert len(texts) == len(expected)
    for text, ids in zip(texts, expected, strict=True):
        found = model.tokenize(text, add_special=False)
        assert found == [int(i) for i in ids.split()], repr(text)


def test_detokenising_gives_the_text_back(alphabet: Model) -> None:
    text = "Zażółć \N{GRINNING FACE} gęślą\njaźń\0!"
    assert alphabet.detokenize(alphabet.tokenize(text, add_special=False)).decode() == text


def test_special_tokens_are_added_only_when_asked(alphabet: Model) -> None:
    assert alphabet.tokenize("a") == [models.BOS, *models.byte_tokens("a")]
    assert alphabet.tokenize("a", add_special=False) == models.byte_tokens("a")


def test_special_text_is_plain_text_unless_asked(alphabet: Model) -> None:
    assert alphabet.tokenize("</s>", add_special=False) == models.byte_tokens("</s>")
    assert alphabet.tokenize("</s>", add_special=False, parse_special=True) == [models.EOS]


def test_an_empty_text_has_no_tokens(alphabet: Model) -> None:
    assert alphabet.tokenize("", add_special=False) == []
    assert alphabet.detokenize([]) == b""


def test_bytes_that_are_not_text_come_back(alphabet: Model) -> None:
    # Upstream reads invalid UTF-8 as replacement characters; what matters is that it lives.
    assert alphabet.tokenize(b"\xff\xfe\x80", add_special=False)


def test_half_a_surrogate_pair_is_refused(alphabet: Model) -> None:
    with pytest.raises(InvalidRequest, match="surrogate"):
        alphabet.tokenize("a\ud800")


@pytest.mark.parametrize("token", [-1, 258, 2**31 - 1, 2**31, 2**63, -(2**63)])
def test_a_token_outside_the_vocabulary_is_refused(alphabet: Model, token: int) -> None:
    for call in (
        lambda: alphabet.detokenize([token]),
        lambda: alphabet.piece(token),
        lambda: alphabet.is_end_of_generation(token),
    ):
        with pytest.raises(InvalidRequest):
            call()


def test_a_control_token_has_a_piece_only_when_asked(alphabet: Model) -> None:
    assert alphabet.piece(models.EOS) == b""
    assert alphabet.piece(models.EOS, special=True) == b"</s>"


def test_facts_of_the_vocabulary(alphabet: Model) -> None:
    facts = alphabet.vocab
    assert (facts.type, facts.n_tokens) == ("bpe", 258)
    assert (facts.bos, facts.eos) == (models.BOS, models.EOS)
    assert facts.adds_bos
    assert not facts.adds_eos
    assert facts.end_of_generation == [models.EOS]
    assert facts.fim_pre == -1
    assert facts.n_longest_bytes == len("</s>")


def test_where_words_may_vanish_no_number_of_bytes_is_the_longest() -> None:
    folder = ROOT / "vendor/llama.cpp/tree/models"
    assert Model(folder / "ggml-vocab-bert-bge.gguf", vocab_only=True).vocab.n_longest_bytes == 0
    assert Model(folder / "ggml-vocab-gpt-2.gguf", vocab_only=True).vocab.n_longest_bytes >= 64


def test_threads_tokenise_one_model_at_once(alphabet: Model) -> None:
    text = "the quick brown fox " * 500
    expected = alphabet.tokenize(text)
    wrong: list[int] = []

    def work() -> None:
        for _ in range(20):
            if alphabet.tokenize(text) != expected:
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_tokenising_lets_other_threads_run(alphabet: Model) -> None:
    text = b"lorem ipsum dolor sit amet " * 40_000
    started, done = threading.Event(), threading.Event()
    ticks_during = 0

    def work() -> None:
        started.set()
        alphabet.tokenize(text)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    while not done.wait(0.001):
        ticks_during += 1
    thread.join()
    assert ticks_during >= 3  # with the GIL held there would be none
