"""Tokens are drawn as asked for, whoever else is there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from jan_engine import (
    LLM,
    Completion,
    EngineOptions,
    FinishReason,
    InvalidRequest,
    Model,
    Request,
    Sampler,
    Sampling,
)
from tests import models

# The alphabet model's logits do not depend on what else is computed, to the last bit.
HOT = Sampling(temperature=20.0, seed=7, logit_bias={models.BOS: -math.inf})
USUAL = Sampling(temperature=20.0, top_k=40, top_p=0.95, min_p=0.05, repeat_penalty=1.1, seed=7)


def options(**changes: int) -> EngineOptions:
    fields = {"n_parallel": 8, "n_ctx": 256, "n_threads": 2, **changes}
    return EngineOptions(check_integrity=True, calibrate_s=0, **fields)  # type: ignore[arg-type]


def ask(sampling: Sampling | None, **changes: object) -> Request:
    fields: dict[str, object] = {"prompt": "abc", "max_tokens": 40, "ignore_eos": True, **changes}
    return Request(sampling=sampling, **fields)  # type: ignore[arg-type]


def answer(llm: LLM, request: Request) -> Completion:
    return llm.generate([request])[0]


@pytest.mark.parametrize("sampling", [HOT, USUAL, Sampling(temperature=20, mirostat=2, seed=3)])
def test_the_same_seed_gives_the_same_text_whoever_else_is_there(
    alphabet: Model, sampling: Sampling
) -> None:
    with LLM(alphabet, options()) as llm:
        alone = answer(llm, ask(sampling))
        others = [ask(HOT, prompt="x" * n, max_tokens=5 * n) for n in range(1, 8)]
        among = llm.generate([*others[:3], ask(sampling), *others[3:], ask(sampling)])
    assert alone.tokens == among[3].tokens == among[8].tokens
    assert len(set(alone.tokens)) > 5


def test_seeds_differ_and_none_is_a_random_one(alphabet: Model) -> None:
    seeds = [1, 2, None, None]
    requests = [ask(Sampling(temperature=20.0, seed=seed)) for seed in seeds]
    with LLM(alphabet, options()) as llm:
        texts = [tuple(a.tokens) for a in llm.generate(requests)]
    assert len(set(texts)) == len(texts)


def test_temperature_0_is_as_no_sampling(random_model: Model) -> None:
    with LLM(random_model, options()) as llm:
        cold, one = (
            answer(llm, ask(sampling, ignore_eos=False))
            for sampling in (
                Sampling(temperature=0.0, top_k=40, min_p=0.1),
                Sampling(temperature=3.0, top_k=1),
            )
        )
        plain = answer(llm, ask(None, ignore_eos=False))
    assert plain.tokens == cold.tokens == one.tokens


def test_a_banned_token_never_comes_and_a_favoured_one_does(alphabet: Model) -> None:
    (b, d, q) = models.byte_tokens("bdq")
    with LLM(alphabet, options()) as llm:
        banned = answer(llm, ask(Sampling(temperature=0.0, logit_bias={d: -math.inf})))
        by_text = answer(llm, ask(Sampling(temperature=0.0, logit_bias={"d": False})))
        several = answer(llm, ask(Sampling(temperature=0.0, logit_bias={"zq": 1000.0})))
        assert by_text.tokens == banned.tokens
        assert set(several.text) == {"z"} or set(several.text) == {"q"}
        favoured = answer(llm, ask(Sampling(seed=1, logit_bias={q: 1000.0, b: 999.0})))
    assert d not in banned.tokens
    assert set(favoured.tokens) <= {q, b}
    assert favoured.tokens.count(q) > favoured.tokens.count(b)


def test_the_end_is_put_off_until_min_tokens(alphabet: Model) -> None:
    sampling = Sampling(temperature=0.0, min_tokens=30)
    with LLM(alphabet, options()) as llm:
        early = answer(llm, ask(Sampling(temperature=0.0), ignore_eos=False))
        late = answer(llm, ask(sampling, ignore_eos=False))
        never = answer(llm, ask(sampling, max_tokens=100))
    assert len(early.tokens) < 30 <= len(late.tokens) - 1
    assert models.EOS not in never.tokens
    assert never.finish.reason is FinishReason.LENGTH


@pytest.mark.parametrize(
    "sampling",
    [Sampling(top_k=5, seed=1), Sampling(temperature=0.2, seed=1), Sampling(temperature=0.0)],
)
def test_logprobs_of_what_was_left_add_up(random_model: Model, sampling: Sampling) -> None:
    request = ask(sampling, logprobs=100, post_sampling_logprobs=True, max_tokens=1)
    with LLM(random_model, options()) as llm:
        chosen, *best = answer(llm, request).logprobs
    assert len(best) == 100
    best = [p for p in best if p.token >= 0]
    assert sum(math.exp(p.logprob) for p in best) == pytest.approx(1, abs=1e-4)
    assert chosen in best
    assert [p.logprob for p in best] == sorted((p.logprob for p in best), reverse=True)


def test_repetition_is_held_back(alphabet: Model) -> None:
    (a,) = models.byte_tokens("a")
    loop = Sampling(temperature=0.0, logit_bias={a: 500.0})
    dry = Sampling(
        temperature=0.0, logit_bias={a: 500.0}, dry_multiplier=100.0, dry_sequence_breakers=()
    )
    frequency = Sampling(temperature=0.0, logit_bias={a: 500.0}, frequency_penalty=100.0)
    with LLM(alphabet, options()) as llm:
        assert set(answer(llm, ask(loop)).tokens) == {a}
        assert set(answer(llm, ask(dry)).tokens) != {a}
        assert answer(llm, ask(frequency)).tokens.count(a) < 10


@dataclass(frozen=True)
class Refused:
    field: str
    sampling: Sampling


@pytest.mark.parametrize(
    "refused",
    [
        Refused("temperature", Sampling(temperature=math.nan)),
        Refused("top_p", Sampling(top_p=1.5)),
        Refused("top_p", Sampling(top_p=1e300)),
        Refused("repeat_penalty", Sampling(repeat_penalty=0.0)),
        Refused("repeat_last_n", Sampling(repeat_last_n=-2)),
        Refused("top_k", Sampling(top_k=2**40)),
        Refused("mirostat", Sampling(mirostat=3)),
        Refused("seed", Sampling(seed=-1)),
        Refused("seed", Sampling(seed=2**32)),
        Refused("seed", Sampling(seed=2**32 - 1)),
        Refused("logit_bias", Sampling(logit_bias={100000: 1.0})),
        Refused("logit_bias", Sampling(logit_bias={5: math.nan})),
        Refused("logit_bias", Sampling(logit_bias={5: True})),
        Refused("samplers", Sampling(samplers=("top_q",))),  # type: ignore[arg-type]
        Refused("samplers", Sampling(samplers=(Sampler.INFILL,))),
        Refused("samplers", Sampling(top_k=129, samplers=(Sampler.TOP_K, Sampler.INFILL))),
        Refused("samplers", Sampling(samplers=(Sampler.DRY,) * 31)),
        Refused("dry_sequence_breakers", Sampling(dry_sequence_breakers=("x",) * 65)),
    ],
    ids=lambda refused: refused.field,
)
def test_a_refusal_names_the_field(alphabet: Model, refused: Refused) -> None:
    with LLM(alphabet, options()) as llm:
        with pytest.raises(InvalidRequest, match=f"^{refused.field}: "):
            answer(llm, ask(refused.sampling))
        assert answer(llm, ask(None)).tokens


# Mostly at the borders of what is allowed, so that most of them come to run.
floats = st.sampled_from([0.0, 1e-30, 0.1, 0.5, 0.99])
ints = st.sampled_from([0, 1, 2, 300, 2**31 - 1])
fields = {
    name: floats if kind == "float" else ints
    for name, kind in Sampling.__annotations__.items()
    if kind in ("float", "int")
}
fields["repeat_penalty"] = st.sampled_from([1e-4, 0.5, 1.0, 1e4])
fields["mirostat"] = st.sampled_from([0, 0, 0, 1, 2])


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    given_fields=st.fixed_dictionaries({}, optional=fields),
    wild=st.tuples(st.sampled_from(sorted(fields)), st.floats(), st.integers()) | st.none(),
    biases=st.dictionaries(st.integers(0, 257), floats | st.just(-math.inf), max_size=5),
    breakers=st.lists(st.text(max_size=50), max_size=5),
    samplers=st.lists(st.sampled_from(list(Sampler)), max_size=12, unique=True),
)
def test_whatever_is_asked_for_there_are_tokens_or_a_refusal(
    extreme_llm: LLM,
    given_fields: dict[str, float],
    wild: tuple[str, float, int] | None,
    biases: dict[int, float],
    breakers: list[str],
    samplers: list[Sampler],
) -> None:
    if wild is not None:
        name, number, whole = wild
        given_fields[name] = whole if Sampling.__annotations__[name] == "int" else number
    sampling = Sampling(
        logit_bias=biases,
        dry_sequence_breakers=tuple(breakers),
        samplers=tuple(samplers),
        **given_fields,  # type: ignore[arg-type]
    )
    try:
        found = answer(extreme_llm, ask(sampling, max_tokens=8, logprobs=2))
    except InvalidRequest as error:
        refused = str(error).split(":")[0]
        event(f"refused: {refused}")
        assert refused in Sampling.__struct_fields__
        return
    event("ran")
    assert len(found.tokens) == 8
    assert all(0 <= token < 258 for token in found.tokens)


@pytest.fixture(scope="module")
def extreme_llm(random_model: Model) -> LLM:
    return LLM(random_model, options())
