"""Generations that end for their lines' sake."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from jan_engine import LLM, EngineOptions, FinishReason, InvalidRequest, Model, Request
from tests import models


@pytest.fixture
def coder(tmp_path: Path) -> Model:
    """Says x, a new line of words, and so on for ever: each word is one token."""
    words = ("one\n", "    two\n", "    three\n", " four")
    first = models.N_SPECIAL + 256
    ids = range(first, first + len(words))
    script = {**dict(pairwise(ids)), ids[-1]: ids[1]}
    return Model(
        models.write_scripted(tmp_path / "coder.gguf", script, otherwise=ids[0], words=words)
    )


def test_a_line_indented_less_ends_the_text(coder: Model) -> None:
    with LLM(coder, EngineOptions(n_parallel=2, n_ctx=256, n_threads=1)) as llm:
        ends, fits = llm.generate(
            [
                Request(prompt="x", n_indent=4, max_tokens=20),
                Request(prompt="x", n_indent=1, max_tokens=20),
            ]
        )
        assert ends.text == "one\n    two\n    three\n "
        assert ends.finish.reason is FinishReason.LENGTH
        assert (len(fits.tokens), fits.finish.reason) == (20, FinishReason.LENGTH)
        with pytest.raises(InvalidRequest, match="n_indent"):
            llm.generate([Request(prompt="x", n_indent=-1)])


def test_time_ends_a_text_that_has_a_line(coder: Model, alphabet: Model) -> None:
    with LLM(coder, EngineOptions(n_parallel=1, n_ctx=4096, n_threads=1)) as llm:
        (answer,) = llm.generate(
            [Request(prompt="x", t_max_predict_ms=1, ignore_eos=True, max_tokens=4000)]
        )
    assert answer.finish.reason is FinishReason.LENGTH
    assert len(answer.tokens) < 4000
    with LLM(alphabet, EngineOptions(n_parallel=1, n_ctx=256, n_threads=1)) as llm:
        (whole,) = llm.generate([Request(prompt="a", t_max_predict_ms=1)])
    assert whole.text == models.ALPHABET[1:]  # no line in it
