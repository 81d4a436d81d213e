"""What a deterministic request gets is the same, bit for bit, whatever else the engine does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jan_server.demo import DEMO_FILE

from jan_engine import (
    LLM,
    Completion,
    EngineOptions,
    InvalidRequest,
    KvMode,
    Model,
    Request,
    Sampling,
)

# Longer than a piece of a prompt, and than the cells that one worker reads without sharing.
PROMPT = "Once upon a time there was a little dog who wanted to play in the park. " * 24
REQUEST = Request(
    prompt=PROMPT,
    max_tokens=24,
    logprobs=4,
    ignore_eos=True,
    sampling=Sampling(seed=42, temperature=0.8),
    deterministic=True,
)
OPTIONS = EngineOptions(n_parallel=8, n_ctx=1024, check_integrity=True)


@pytest.fixture(scope="module")
def demo() -> Model:
    return Model(DEMO_FILE)


@pytest.fixture(scope="module")
def llm(demo: Model) -> Iterator[LLM]:
    with LLM(demo, OPTIONS) as opened:
        yield opened


def others(n: int) -> list[str | list[int] | Request]:
    return [
        Request(prompt=PROMPT[7 * i :], max_tokens=20 + 9 * i, ignore_eos=True) for i in range(n)
    ]


def said(answer: Completion) -> object:
    return answer.tokens, answer.logprobs, answer.text


def test_cold_repeated_and_after_a_prefix_is_cached(llm: LLM) -> None:
    (cold,) = llm.generate([REQUEST])
    (again,) = llm.generate([REQUEST])
    llm.generate([Request(prompt=PROMPT, max_tokens=1)])
    (cached,) = llm.generate([REQUEST])
    assert said(again) == said(cold)
    assert said(cached) == said(cold)
    assert cached.finish.usage.n_cached == 0


def test_among_other_streams(llm: LLM) -> None:
    (alone,) = llm.generate([REQUEST])
    for at in (0, 3, 7):
        company = others(7)
        answers = llm.generate([*company[:at], REQUEST, *company[at:]])
        assert said(answers[at]) == said(alone)


def test_eight_of_them(llm: LLM) -> None:
    (alone,) = llm.generate([REQUEST])
    assert all(said(answer) == said(alone) for answer in llm.generate([REQUEST] * 8))


def test_for_more_requests_than_fit_at_once(llm: LLM) -> None:
    (alone,) = llm.generate([REQUEST])
    answers = llm.generate([*others(20), REQUEST, *others(4)])
    assert said(answers[20]) == said(alone)


def test_scores_of_the_prompt_cut_it_no_differently(llm: LLM) -> None:
    scored = Request(prompt=PROMPT, max_tokens=0, prompt_logprobs=2, deterministic=True)
    (alone,) = llm.generate([scored])
    answers = llm.generate([*others(5), scored])
    assert answers[5].prompt_logprobs == alone.prompt_logprobs


@pytest.mark.parametrize("adapt_threads", [True, False])
def test_by_fewer_workers_of_as_many(demo: Model, llm: LLM, adapt_threads: bool) -> None:
    (first,) = llm.generate([REQUEST])
    flash = llm.attention_kernel.flash  # where it is timed, another engine may choose another one
    options = EngineOptions(
        n_parallel=8, n_ctx=1024, adapt_threads=adapt_threads, flash_attention=flash
    )
    with LLM(demo, options) as another:
        (again,) = another.generate([REQUEST])
    assert said(again) == said(first)


def test_others_go_on_beside_it(llm: LLM) -> None:
    """No step is without them, whose share of the passes stays theirs."""
    company = others(6)
    answers = llm.generate([*company, REQUEST, REQUEST])
    assert [len(answer.tokens) for answer in answers[:6]] == [20 + 9 * i for i in range(6)]


def test_it_is_refused_where_cells_lie_in_one_pool(demo: Model) -> None:
    options = EngineOptions(n_parallel=4, n_ctx=1024, kv_mode=KvMode.UNIFIED)
    with LLM(demo, options) as pool, pytest.raises(InvalidRequest, match="deterministic: "):
        pool.generate([REQUEST])


def test_it_is_possible_alone_in_a_cache(demo: Model) -> None:
    with LLM(demo, EngineOptions(n_parallel=1, n_ctx=1024)) as single:
        (cold,) = single.generate([REQUEST])
        single.generate([Request(prompt=PROMPT[:300], max_tokens=30)])
        (again,) = single.generate([REQUEST])
    assert said(again) == said(cold)
