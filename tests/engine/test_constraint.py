"""A text stays within what was asked for, at any temperature, whoever else is there."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jan_engine import (
    LLM,
    Choices,
    Completion,
    Constraint,
    EngineOptions,
    FinishReason,
    Grammar,
    InvalidRequest,
    JsonSchema,
    Model,
    Regex,
    Request,
    Sampler,
    Sampling,
    Triggers,
)
from tests import models
from tests.conftest import ROOT
from tests.engine.test_json_schema import golden

TREE = ROOT / "vendor/llama.cpp/tree"
GRAMMARS = TREE / "grammars"
PROGRAM = ROOT / os.environ.get("JAN_BUILD", "build/dev") / "tests/csrc/check_upstream_grammar"
# Random weights say anything; what closes something is made likely, so that texts come to an end.
CLOSING = dict.fromkeys(models.byte_tokens('"]}'), 6.0)
WILD = Sampling(temperature=1.5, seed=1, logit_bias=CLOSING)


def options(**changes: int) -> EngineOptions:
    fields = {"n_parallel": 8, "n_ctx": 1024, "n_threads": 2, **changes}
    return EngineOptions(check_integrity=True, calibrate_s=0, **fields)  # type: ignore[arg-type]


def ask(constraint: Constraint | None, *, seed: int = 1, **changes: object) -> Request:
    sampling = Sampling(temperature=1.5, seed=seed, logit_bias=CLOSING)
    fields: dict[str, object] = {"prompt": "x", "max_tokens": 500, "sampling": sampling, **changes}
    return Request(constraint=constraint, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("constraint", "fits"),
    [
        (Grammar('root ::= "a" [0-9]{3} ("," [0-9]{3})*'), r"a\d{3}(,\d{3})*"),
        (Regex(r"^(yes|no): \w{1,8}[.!]$"), r"(yes|no): [0-9A-Za-z_]{1,8}[.!]"),
        (Choices(("red", "green", "greenish")), r"red|green(ish)?"),
        (Regex("[\\u00e0-\\u4e00]{5}"), r"[\u00e0-\u4e00]{5}"),
    ],
    ids=["grammar", "regex", "choices", "not ASCII"],
)
def test_the_text_is_what_was_asked_for(
    random_model: Model, constraint: Constraint, fits: str
) -> None:
    requests = [ask(constraint, seed=seed) for seed in range(20)]
    requests += [ask(constraint, sampling=None)]
    with LLM(random_model, options()) as llm:
        answers = llm.generate(requests)
    for a in answers:
        assert a.finish.reason is FinishReason.STOP or len(a.tokens) == 500
        assert re.fullmatch(fits, a.text) or a.finish.reason is FinishReason.LENGTH, a.text
    assert len({a.text for a in answers}) > 2


SCHEMAS = [(name, schema) for status, name, schema, _ in golden() if status == "SUCCESS"]


@pytest.mark.parametrize("schema", [s for _, s in SCHEMAS], ids=[name[:40] for name, _ in SCHEMAS])
def test_what_is_generated_validates(long_llm: LLM, schema: str) -> None:
    read: Any = json.loads(schema)
    by_standard: Any = jsonschema.Draft202012Validator
    if re.search(r'"items": *\[', schema):
        by_standard = jsonschema.Draft7Validator
    answers = long_llm.generate([ask(JsonSchema(schema), seed=seed) for seed in range(4)])
    for a in answers:
        if a.finish.reason is FinishReason.STOP:
            value = json.loads(a.text)
            with contextlib.suppress(jsonschema.SchemaError):  # one that is none by the standard
                jsonschema.validate(value, read, cls=by_standard)
        else:
            assert a.finish.reason is FinishReason.LENGTH


@pytest.fixture(scope="module")
def long_llm(random_model: Model) -> LLM:
    return LLM(random_model, options(n_parallel=4))


def test_json_object_is_an_object(long_llm: LLM) -> None:
    answers = long_llm.generate([ask(JsonSchema({"type": "object"}), seed=s) for s in range(12)])
    whole = [a.text for a in answers if a.finish.reason is FinishReason.STOP]
    assert len(whole) > 3
    assert all(isinstance(json.loads(text), dict) for text in whole)


def test_free_neighbours_say_what_they_say_alone(alphabet: Model) -> None:
    free = Request(prompt="a", max_tokens=20, sampling=Sampling(temperature=2.0, seed=3))
    held = Request(prompt="a", max_tokens=20, constraint=Regex("[xyz]{3,9}"))
    with LLM(alphabet, options()) as llm:
        alone = llm.generate([free])[0]
        among = llm.generate([held, free, held, held])
    assert among[1].tokens == alone.tokens
    assert among[0].text == among[2].text == among[3].text
    assert re.fullmatch("[xyz]{3,9}", among[0].text)


def test_a_text_that_is_whole_ends_at_once(alphabet: Model) -> None:
    request = Request(prompt="a", constraint=Choices(("bcd",)), ignore_eos=True)
    with LLM(alphabet, options()) as llm:
        answer = llm.generate([request])[0]
    assert (answer.text, answer.finish.reason) == ("bcd", FinishReason.STOP)
    assert answer.finish.usage.n_generated == 3


def test_stop_strings_and_max_tokens_still_end_it(alphabet: Model) -> None:
    constraint = Regex("[b-y]+")
    with LLM(alphabet, options()) as llm:
        stopped, short, run_out = llm.generate(
            [
                Request(prompt="a", constraint=constraint, stop=["ef"]),
                Request(prompt="a", constraint=constraint, max_tokens=4),
                Request(prompt="a", constraint=constraint, max_tokens=100),
            ]
        )
    assert (stopped.text, stopped.finish.stop) == ("bcd", "ef")
    assert (short.text, short.finish.reason) == ("bcde", FinishReason.LENGTH)
    assert run_out.text.startswith("bcdefghijklmnopqrstuvwxy")


def test_log_probabilities_are_the_models(alphabet: Model) -> None:
    free = Request(prompt="a", max_tokens=1, logprobs=258)
    held = Request(prompt="a", max_tokens=1, logprobs=258, constraint=Choices(("zz",)))
    left = Request(
        prompt="a",
        max_tokens=1,
        logprobs=3,
        constraint=Choices(("zz", "ya")),
        post_sampling_logprobs=True,
        sampling=Sampling(samplers=(Sampler.TOP_K,), top_k=5, seed=1),
    )
    with LLM(alphabet, options()) as llm:
        answers: list[Completion] = llm.generate([free, held, left])
    of_model = {p.token: p.logprob for p in answers[0].logprobs}
    assert answers[1].logprobs[0].logprob == pytest.approx(of_model[models.byte_token(ord("z"))])
    among = answers[2].logprobs
    assert {p.token for p in among[1:3]} == set(models.byte_tokens("yz"))
    assert math.exp(among[1].logprob) + math.exp(among[2].logprob) == pytest.approx(1)


def test_a_trigger_begins_it(alphabet: Model) -> None:
    lazy = Request(
        prompt="a",
        max_tokens=30,
        constraint=Grammar('root ::= "de" [0-9]{2} "!"'),
        triggers=Triggers(words=("de",)),
    )
    with LLM(alphabet, options()) as llm:
        answer, free = llm.generate([lazy, Request(prompt="a", max_tokens=30)])
        never = llm.generate(
            [Request(prompt="a", constraint=Choices(("x",)), triggers=Triggers(words=("0",)))]
        )[0]
        with pytest.raises(InvalidRequest, match=r"^triggers: "):
            llm.generate([Request(prompt="a", constraint=Choices(("x",)), triggers=Triggers())])
        with pytest.raises(InvalidRequest, match=r"^triggers: "):
            llm.generate([Request(prompt="a", triggers=Triggers(words=("x",)))])
    assert re.fullmatch(r"bcde\d\d!", answer.text)
    assert never.text == free.text == models.ALPHABET[1:]


def test_tokens_are_shown_where_asked_for(alphabet: Model) -> None:
    bias = Sampling(temperature=0, logit_bias={models.BOS: 100.0})
    request = Request(prompt="a", max_tokens=3, sampling=bias)
    shown = Request(prompt="a", max_tokens=3, sampling=bias, shown_tokens=(models.BOS,))
    with LLM(alphabet, options()) as llm:
        hidden, visible = llm.generate([request, shown])
    assert (hidden.text, visible.text) == ("", "<s>" * 3)


def test_one_engines_constraint_is_no_other_engines(alphabet: Model) -> None:
    with LLM(alphabet, options()) as one, LLM(alphabet, options()) as other:
        compiled = one.compile(Choices(("x",)))
        with pytest.raises(InvalidRequest, match="another engine"):
            other.generate([Request(prompt="a", constraint=compiled)])
        assert one.generate([Request(prompt="a", constraint=compiled)])[0].text == "x"


def test_the_same_again_is_not_compiled_again(alphabet: Model) -> None:
    with LLM(alphabet, options()) as llm:
        llm.generate([Request(prompt="a", constraint=Choices(("b",)))] * 5)
        assert llm.core.stats()["n_grammars"] == 1


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        (Grammar("root = 3"), "grammar: line 1, column 6"),
        (Grammar('start ::= "a"'), "grammar: there is no rule root"),
        (Grammar('root ::= root "a"'), "grammar: rule root begins with itself"),
        (Regex("(?=a)b"), "regex: at 2"),
        (Choices(()), "choices: "),
        (JsonSchema('{"type": '), "json_schema: "),
        (JsonSchema({"type": "strong"}), "json_schema: "),
        (JsonSchema({"x": object()}), "json_schema: "),
    ],
)
def test_mistakes_are_named(alphabet: Model, constraint: Constraint, message: str) -> None:
    with LLM(alphabet, options()) as llm:
        with pytest.raises(InvalidRequest) as caught:
            llm.generate([Request(prompt="a", constraint=constraint)])
        assert str(caught.value).startswith(message)
        assert llm.generate([Request(prompt="a", max_tokens=2)])[0].text == "bc"


def test_what_is_banned_and_needed_ends_that_request_alone(alphabet: Model) -> None:
    banned = Sampling(logit_bias={models.byte_token(ord("z")): -math.inf})
    held = Request(prompt="a", constraint=Choices(("z",)), sampling=banned)
    with LLM(alphabet, options()) as llm:
        # A ban of the only way on gives way, as where every token is banned.
        assert llm.generate([held])[0].text == "z"


def choice(text: str) -> Constraint:
    return Choices((text,))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60), st.sampled_from([Grammar, Regex, choice]))
def test_any_text_is_a_constraint_or_a_mistake(
    alphabet_llm: LLM, text: str, kind: Callable[[str], Constraint]
) -> None:
    try:
        answer = alphabet_llm.generate([Request(prompt="a", max_tokens=5, constraint=kind(text))])
    except InvalidRequest:
        return
    assert len(answer[0].tokens) <= 5


@pytest.fixture(scope="module")
def alphabet_llm(alphabet: Model) -> LLM:
    return LLM(alphabet, options())


@pytest.mark.parametrize("vocabulary", ["llama-spm", "llama-bpe", "qwen2"])
@pytest.mark.parametrize("grammar", sorted(path.name for path in GRAMMARS.glob("*.gbnf")))
def test_llama_cpp_allows_the_same_tokens(grammar: str, vocabulary: str) -> None:
    compare(vocabulary, str(GRAMMARS / grammar), "8")


@pytest.mark.parametrize("number", range(0, 70, 5))
def test_llama_cpp_allows_the_same_tokens_by_schema(number: int, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(SCHEMAS[number][1])
    compare("llama-spm", str(tmp_path / "schema.json"), "20", "json")


def compare(vocabulary: str, *rest: str) -> None:
    model = TREE / "models" / f"ggml-vocab-{vocabulary}.gguf"
    command = [str(PROGRAM), str(model), *rest]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={})
    assert done.returncode == 0, done.stderr
