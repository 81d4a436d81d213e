"""How likely a prompt's own tokens were: as when each is asked for alone, whoever runs beside."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import pytest

from jan_engine import (
    LLM,
    Completion,
    EngineOptions,
    GreedyRunner,
    InvalidRequest,
    KvMode,
    Model,
    Request,
)
from tests import models


class Exact(TypedDict):
    cache_type: str
    flash_attention: bool


MODES = [KvMode.UNIFIED, KvMode.STREAMS]
# In half precision, and flash kernels know no other, upstream rounds a row alone otherwise than
# rows together.
EXACT: Exact = {"cache_type": "f32", "flash_attention": False}
TEXT = "once upon a time there was a quick brown fox, " * 4


def options(mode: KvMode, n_cells: int = 0, n_ubatch: int = 64) -> EngineOptions:
    return EngineOptions(
        kv_mode=mode,
        n_parallel=4,
        n_ctx=512,
        n_cells=n_cells,
        n_ubatch=n_ubatch,
        n_threads=1,
        check_integrity=True,
        **EXACT,
    )


@pytest.fixture(scope="module")
def prompt(random_model: Model) -> list[int]:
    return random_model.tokenize(TEXT)


@pytest.fixture(scope="module")
def forced(random_model: Model, prompt: list[int]) -> list[list[float]]:
    """Of each token of the prompt but the first, what every token had for a log-probability.

    By upstream's own context, which is given one token after another.
    """
    runner = GreedyRunner(random_model, n_ctx=512, n_threads=1, **EXACT).core
    found: list[list[float]] = []
    for token in prompt[:-1]:
        runner.feed([token])
        row = np.array(runner.logits(), dtype=np.float64)
        row -= row.max()
        found.append([float(x) for x in row - np.log(np.exp(row).sum())])
    return found


def check(answer: Completion, prompt: list[int], forced: list[list[float]], start: int = 0) -> None:
    scores = answer.prompt_logprobs
    assert scores is not None
    assert len(scores) == len(prompt) - start
    for place, found in enumerate(scores, start):
        if place == 0:
            assert found is None
            continue
        assert found is not None
        own, *best = found
        row = forced[place - 1]
        assert own.token == prompt[place]
        for one in found:
            assert one.logprob == pytest.approx(row[one.token], abs=1e-4)
        assert [b.logprob for b in best] == pytest.approx(
            sorted(row, reverse=True)[: len(best)], abs=1e-4
        )


@pytest.mark.parametrize("mode", MODES)
def test_scores_are_those_of_one_token_at_a_time(
    random_model: Model, mode: KvMode, prompt: list[int], forced: list[list[float]]
) -> None:
    others = [Request(prompt=text, max_tokens=40) for text in ("abc", "x" * 200)]
    asks = [
        Request(prompt=prompt, prompt_logprobs=0, max_tokens=0),
        Request(prompt=prompt, prompt_logprobs=3, max_tokens=8),
        Request(prompt=prompt, prompt_logprobs=1, prompt_logprobs_from=150, max_tokens=1),
    ]
    with LLM(random_model, options(mode)) as llm:
        for _ in range(2):  # the second time there is something to reuse
            zero, three, later, *rest = llm.generate([*asks, *others])
            check(zero, prompt, forced)
            check(three, prompt, forced)
            check(later, prompt, forced, 150)
            assert zero.tokens == []
            assert all(answer.prompt_logprobs is None for answer in rest)
            assert zero.finish.usage.n_cached == three.finish.usage.n_cached == 0
            (plain,) = llm.generate([Request(prompt=prompt, max_tokens=8)])
            assert plain.tokens == three.tokens
        (later,) = llm.generate(asks[2:])
        assert later.finish.usage.n_cached == 149  # up to the token before the first asked for


def test_whoever_gives_way_meanwhile_loses_and_repeats_nothing(
    random_model: Model, prompt: list[int], forced: list[list[float]]
) -> None:
    others = [Request(prompt=t * 3, max_tokens=300, ignore_eos=True) for t in ("abc", "def", "ghi")]
    ask = Request(prompt=prompt, prompt_logprobs=2, max_tokens=60, ignore_eos=True)
    with LLM(random_model, options(KvMode.UNIFIED, n_cells=512, n_ubatch=16)) as llm:
        answers = llm.generate([*others, ask, ask])
    assert sum(answer.finish.usage.n_parked for answer in answers) > 0
    for answer in answers[3:]:
        check(answer, prompt, forced)


def test_the_smallest_prompts_and_the_last_places(alphabet: Model) -> None:
    with LLM(alphabet, EngineOptions(n_parallel=2, n_ctx=256, n_threads=1)) as llm:
        one, none, last = llm.generate(
            [
                Request(prompt=models.byte_tokens("a"), prompt_logprobs=0, max_tokens=1),
                Request(prompt="ab", prompt_logprobs=0, prompt_logprobs_from=3, max_tokens=1),
                Request(prompt="ab", prompt_logprobs=0, prompt_logprobs_from=2, max_tokens=0),
            ]
        )
        assert one.prompt_logprobs == [None]
        assert none.prompt_logprobs == []
        assert last.prompt_logprobs is not None
        assert [found and found[0].token for found in last.prompt_logprobs] == [
            models.byte_tokens("b")[0]
        ]
        for bad, field in [
            ({"prompt_logprobs": -1}, "prompt_logprobs"),
            ({"prompt_logprobs": 10**6}, "prompt_logprobs"),
            ({"prompt_logprobs": 0, "prompt_logprobs_from": 4}, "prompt_logprobs_from"),
            ({"prompt_logprobs": 0, "prompt_logprobs_from": -1}, "prompt_logprobs_from"),
        ]:
            with pytest.raises(InvalidRequest, match=field):
                llm.generate([Request(prompt="ab", **bad)])  # type: ignore[arg-type]
