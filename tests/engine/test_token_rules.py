"""Rules of tokens, kept through sampling, grammars, guesses and several streams."""

from __future__ import annotations

from pathlib import Path

import pytest

from jan_engine import (
    LLM,
    EngineOptions,
    Grammar,
    InvalidRequest,
    Request,
    Sampling,
    ThoughtLimit,
    TokenRules,
)
from tests import models

A, B, C, D, E = models.byte_tokens("abcde")


@pytest.fixture(scope="module")
def alphabet(alphabet_path: Path) -> LLM:
    return LLM(alphabet_path, EngineOptions(n_parallel=4, n_ctx=256, n_threads=1))


def test_streams_keep_to_their_own_rules(alphabet: LLM) -> None:
    asked = [
        Request(prompt="a", max_tokens=12),
        Request(prompt="a", max_tokens=12, rules=TokenRules(allowed=(A, B))),
        Request(prompt="a", max_tokens=12, rules=TokenRules(banned=((C, D),))),
        Request(prompt="a", max_tokens=12, rules=TokenRules(ends=(E,))),
    ]
    free, allowed, banned, ended = alphabet.generate(asked)
    assert free.text == "bcdefghijklm"
    assert set(allowed.text) <= {"a", "b"}
    assert "cd" not in banned.text
    assert banned.text.startswith("bc")
    assert (ended.text, ended.finish.reason) == ("bcd", "stop")


def test_a_repeated_text_is_guessed_and_still_ruled(endless: LLM) -> None:
    """Guesses would go on with what repeats; the rule ends it."""
    (answer,) = endless.generate(
        [Request(prompt="a" * 60, max_tokens=60, rules=TokenRules(banned=((A,) * 8,)))]
    )
    assert "a" * 8 not in answer.text


def test_a_grammar_and_rules_hold_together(alphabet: LLM) -> None:
    within = Grammar("root ::= [a-e]+")
    drawn = Sampling(temperature=2.0, seed=1)
    rules = TokenRules(allowed=(A, C, D))
    (answer,) = alphabet.generate(
        [Request(prompt="a", max_tokens=20, constraint=within, sampling=drawn, rules=rules)]
    )
    assert set(answer.text) <= set("acd")
    assert len(answer.text) == 20


def test_a_thought_is_ended_in_the_middle_of_a_text(alphabet: LLM) -> None:
    limit = ThoughtLimit(most=2, start="c", ends=("x",), close=(A, B))
    (answer,) = alphabet.generate([Request(prompt="a", max_tokens=8, thought=limit)])
    assert answer.text == "bcdeabcd"  # and the thought that begins then is a new one


def test_rules_about_no_token_are_refused(alphabet: LLM) -> None:
    for rules in (TokenRules(allowed=(10**6,)), TokenRules(banned=((),)), TokenRules(ends=(-1,))):
        with pytest.raises(InvalidRequest):
            alphabet.generate([Request(prompt="a", rules=rules)])


@pytest.fixture(scope="module")
def endless(model_folder: Path) -> LLM:
    path = models.write_scripted(model_folder / "ruled.gguf", {A: A})
    return LLM(path, EngineOptions(n_parallel=1, n_ctx=256, n_threads=1))
