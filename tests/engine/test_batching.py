"""Many requests in one engine give what each would give alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from jan_engine import (
    LLM,
    ContextOverflow,
    EngineOptions,
    FinishReason,
    GreedyRunner,
    InvalidRequest,
    KvMode,
    Model,
    Request,
)
from tests import models

TEXTS = ["a", "once upon a time", "zero one " * 9, "\n", "The quick brown fox", "x" * 200]
MODES = [KvMode.UNIFIED, KvMode.STREAMS]


def options(mode: KvMode, **changes: int) -> EngineOptions:
    fields = {"n_parallel": 8, "n_ctx": 512, "n_threads": 1, "n_ubatch": 64, **changes}
    # With the flash kernel, as GreedyRunner has it: other kernels round otherwise.
    return EngineOptions(kv_mode=mode, flash_attention=True, check_integrity=True, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", MODES)
def test_a_request_among_others_gives_what_it_gives_alone(
    random_model: Model, mode: KvMode
) -> None:
    prompts = [random_model.tokenize(text) for text in TEXTS]
    runner = GreedyRunner(random_model, n_ctx=512, n_threads=1)
    alone = [list(runner.generate(prompt, 40)) for prompt in prompts]
    with LLM(random_model, options(mode, n_parallel=16)) as llm:
        together = llm.generate(list(prompts), max_tokens=40)
        again = llm.generate(list(prompts), max_tokens=40)  # now from the cache
    assert [answer.tokens for answer in together] == alone
    assert [answer.tokens for answer in again] == alone
    assert sum(answer.finish.usage.n_cached for answer in again) > 200
    for prompt, answer in zip(prompts, again, strict=True):
        usage = answer.finish.usage
        assert usage.n_cached + usage.n_evaluated == usage.n_prompt == len(prompt)


@pytest.mark.parametrize("mode", MODES)
def test_logprobs_hardly_depend_on_the_company(random_model: Model, mode: KvMode) -> None:
    request = Request(prompt="once upon a time", max_tokens=20, logprobs=3)
    with LLM(random_model, options(mode)) as llm:
        (alone,) = llm.generate([request])
        others: list[str | list[int] | Request] = [Request(prompt=t, max_tokens=30) for t in TEXTS]
        among = llm.generate([request, *others])[0]
    assert len(alone.logprobs) == 20 * 4
    for a, b in zip(alone.logprobs, among.logprobs, strict=True):
        assert a.token == b.token
        assert a.logprob == pytest.approx(b.logprob, abs=1e-2)
    chosen, *best = alone.logprobs[:4]
    assert best[0] == chosen  # greedy
    assert best == sorted(best, key=lambda pair: -pair.logprob)


def test_a_full_cache_parks_and_resumes_with_the_same_text(random_model: Model) -> None:
    prompts = [random_model.tokenize(text * 3) for text in ("abc", "def", "ghi", "jkl")]
    requests = [  # whose guesses come true has gone before the cache is full
        Request(prompt=p, max_tokens=150, ignore_eos=True, speculate=False) for p in prompts
    ]
    with LLM(random_model, options(KvMode.UNIFIED)) as roomy:
        expected = [answer.tokens for answer in roomy.generate(list(requests))]
    with LLM(random_model, options(KvMode.UNIFIED, n_cells=512)) as tight:
        answers = tight.generate(list(requests))
    assert [answer.tokens for answer in answers] == expected
    assert sum(answer.finish.usage.n_parked for answer in answers) > 0


@pytest.mark.parametrize("mode", MODES)
def test_an_equal_prefix_is_computed_once(random_model: Model, mode: KvMode) -> None:
    prefix = random_model.tokenize("system: be brief. " * 15)
    prompts = [[*prefix, models.byte_token(97 + i)] for i in range(8)]
    with LLM(random_model, options(mode)) as llm:
        answers = llm.generate(list(prompts), max_tokens=8)
        computed = llm.core.stats()["n_prompt_tokens"]
    assert computed <= len(prefix) + 8 * 2
    runner = GreedyRunner(random_model, n_ctx=512, n_threads=1)
    assert [a.tokens for a in answers] == [list(runner.generate(p, 8)) for p in prompts]


def test_a_salt_or_no_caching_shares_nothing(random_model: Model) -> None:
    text = "a secret of ours " * 8
    with LLM(random_model, options(KvMode.UNIFIED)) as llm:
        llm.generate([Request(prompt=text, cache_salt="one", max_tokens=2)])
        (other,) = llm.generate([Request(prompt=text, cache_salt="two", max_tokens=2)])
        (none,) = llm.generate(
            [Request(prompt=text, cache_salt="one", cache_prompt=False, max_tokens=2)]
        )
        (same,) = llm.generate([Request(prompt=text, cache_salt="one", max_tokens=2)])
    assert other.finish.usage.n_cached == none.finish.usage.n_cached == 0
    assert same.finish.usage.n_cached > 100


@pytest.mark.parametrize("cache_type", ["q8_0", "q4_0", "f32", "bf16"])
def test_other_types_of_cache_give_text(random_model: Model, cache_type: str) -> None:
    chosen = EngineOptions(n_parallel=2, n_ctx=256, n_threads=1, cache_type=cache_type)
    if cache_type.startswith("q"):  # a head of 16 is half a block
        with pytest.raises(InvalidRequest, match="cache_type"):
            LLM(random_model, chosen)
        return
    with LLM(random_model, chosen) as llm:
        assert llm.generate(["abc"], max_tokens=5)[0].text


@pytest.mark.parametrize("mode", MODES)
def test_a_full_context_ends_one_or_shifts_it(tmp_path: Path, mode: KvMode) -> None:
    (a,) = models.byte_tokens("a")
    model = Model(models.write_scripted(tmp_path / "forever.gguf", {a: a}))
    with LLM(model, options(mode, n_parallel=2, n_ctx=256)) as llm:
        ends, shifts = llm.generate(
            [Request(prompt="aaa"), Request(prompt="aaa", shift_context=True, max_tokens=600)]
        )
    assert ends.finish.reason is FinishReason.LENGTH
    assert len(ends.tokens) == 256 - 4 + 1  # the last token needs no cell
    assert not ends.finish.usage.truncated
    assert len(shifts.text) == 600
    assert shifts.finish.usage.truncated


def test_exact_text_stops_and_usage(alphabet: Model) -> None:
    with LLM(alphabet, EngineOptions(n_parallel=4, n_ctx=256)) as llm:
        whole, stopped, short, none = llm.generate(
            [
                Request(prompt="a"),
                Request(prompt="a", stop=["xyz", "fgh"]),
                Request(prompt="a", max_tokens=3),
                Request(prompt="a", max_tokens=0),
            ]
        )
    assert whole.text == "bcdefghijklmnopqrstuvwxyz"
    assert whole.finish.reason is FinishReason.STOP
    assert whole.finish.stop is None
    assert whole.finish.usage.n_generated == 26  # the end token is generated too
    assert (stopped.text, stopped.finish.stop) == ("bcde", "fgh")
    assert (short.text, short.finish.reason) == ("bcd", FinishReason.LENGTH)
    assert (none.text, none.finish.reason) == ("", FinishReason.LENGTH)
    assert none.finish.usage.n_prompt == 2


def test_more_prompts_than_may_wait_are_all_answered(alphabet: Model) -> None:
    with LLM(alphabet, EngineOptions(n_parallel=2, n_ctx=256, max_waiting=2)) as llm:
        answers = llm.generate(["a"] * 20, max_tokens=2)
    assert [answer.text for answer in answers] == ["bc"] * 20


def test_bad_requests_name_the_field_and_disturb_nobody(alphabet: Model) -> None:
    with LLM(alphabet, EngineOptions(n_parallel=2, n_ctx=256)) as llm:
        for bad, field in [
            (Request(prompt=[]), "prompt"),
            (Request(prompt=[2**40]), "prompt"),
            (Request(prompt=[5000]), "prompt"),
            (Request(prompt="a", max_tokens=-1), "max_tokens"),
            (Request(prompt="a", logprobs=2**33), "logprobs"),
            (Request(prompt="a", n_keep=-5), "n_keep"),
        ]:
            with pytest.raises(InvalidRequest, match=field):
                llm.generate([bad])
        with pytest.raises(ContextOverflow) as caught:
            llm.generate(["a" * 300])
        assert caught.value.n_ctx == 256
        assert llm.generate(["a"], max_tokens=3)[0].text == "bcd"


@pytest.mark.parametrize(
    "field",
    [
        {"n_parallel": 0},
        {"n_parallel": 1000},
        {"n_ubatch": 1},
        {"n_ctx": -1},
        {"cache_type": "q9"},
        {"n_threads": 10_000},
        {"poll": 101},
        {"n_ctx": 2**40},
    ],
)
def test_impossible_options_are_refused(alphabet: Model, field: dict[str, int]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(field))):
        LLM(alphabet, EngineOptions(**field))  # type: ignore[arg-type]
