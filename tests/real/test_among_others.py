"""What a stream is told does not get worse among others, after reuse, or after it gave way.

Each path writes its own text. The weights in F32 then read every text, alone, and say how likely
each token and its 256 best were to them: the divergence from that is the path's.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path

import pytest

from jan_bench.quality.reading import SAMPLE
from jan_engine import LLM, Completion, EngineOptions, KvMode, Model, Request, TokenLogprob

N_TOP = 256
N_PROMPT, N_TOKENS, N_STREAMS = 96, 32, 8
ROOMY = EngineOptions(n_parallel=N_STREAMS, n_ctx=256, calibrate_s=0.1)
SCARCE = EngineOptions(
    n_parallel=N_STREAMS,
    n_ctx=256,
    n_cells=3 * N_STREAMS * (N_PROMPT + N_TOKENS) // 4,
    kv_mode=KvMode.UNIFIED,
    calibrate_s=0.1,
    check_integrity=True,
)
NOISE = (
    2  # of 256 tokens of texts that differ, up to 1.7 was seen; a broken path is apart by orders
)

Guess = dict[int, float]


@pytest.fixture(scope="module")
def judge(exact: Path) -> Generator[LLM]:
    with LLM(Model(exact, matrix_kernels=False), ROOMY) as llm:
        yield llm


@pytest.fixture(scope="module", params=["ours", "upstream's"])
def model(trained: Path, request: pytest.FixtureRequest) -> Model:
    return Model(trained, matrix_kernels=request.param == "ours")


def prompts(model: Model) -> list[list[int]]:
    tokens = model.tokenize(SAMPLE.read_bytes(), add_special=False)
    return [tokens[i * 211 : i * 211 + N_PROMPT] for i in range(N_STREAMS)]


def requests(model: Model) -> list[Request]:
    return [
        Request(prompt=prompt, max_tokens=N_TOKENS, ignore_eos=True, logprobs=N_TOP)
        for prompt in prompts(model)
    ]


def guess(of: Iterable[TokenLogprob]) -> Guess:
    return {token: logprob for token, logprob in of if token >= 0}


def guesses(answer: Completion) -> list[Guess]:
    told, n = answer.logprobs, N_TOP + 1
    assert len(told) == n * len(answer.tokens)
    return [guess(told[at : at + n]) for at in range(0, len(told), n)]


def divergence(reference: Guess, other: Guess) -> float:
    """Of what both name, and of all the rest as one: less than that of the whole distributions."""
    both = reference.keys() & other.keys()
    total = sum(math.exp(reference[t]) * (reference[t] - other[t]) for t in both)
    rests = [max(1e-9, 1 - sum(math.exp(of[t]) for t in both)) for of in (reference, other)]
    return total + rests[0] * math.log(rests[0] / rests[1])


def lost(judge: LLM, asked: Sequence[Request], answers: Sequence[Completion]) -> float:
    """Mean divergence of all their tokens."""
    found: list[float] = []
    for request, answer in zip(asked, answers, strict=True):
        assert isinstance(request.prompt, list)
        n = len(request.prompt)
        text = [*request.prompt, *answer.tokens]
        (read,) = judge.generate(
            [
                Request(
                    prompt=text,
                    max_tokens=1,
                    prompt_logprobs=N_TOP,
                    prompt_logprobs_from=n,
                    cache_prompt=False,
                )
            ]
        )
        assert read.prompt_logprobs is not None
        reference = [guess(of) for of in read.prompt_logprobs if of is not None]
        found += [divergence(*pair) for pair in zip(reference, guesses(answer), strict=True)]
    assert len(found) == N_STREAMS * N_TOKENS
    return statistics.fmean(found)


@pytest.fixture(scope="module")
def alone(judge: LLM, model: Model) -> float:
    """One after the other, each from an empty cache."""
    with LLM(model, ROOMY) as llm:
        asked = requests(model)
        answers = [llm.generate([one])[0] for one in asked]
    return lost(judge, asked, answers)


def test_alone_little_is_lost(alone: float) -> None:
    assert 0 < alone < 0.02


def test_among_eight_no_more_is_lost(judge: LLM, model: Model, alone: float) -> None:
    with LLM(model, ROOMY) as llm:
        asked = requests(model)
        found = lost(judge, asked, llm.generate(asked))
        assert found <= NOISE * alone


def test_after_reuse_no_more_is_lost(judge: LLM, model: Model, alone: float) -> None:
    with LLM(model, ROOMY) as llm:
        asked = requests(model)
        firsts = [
            Request(prompt=prompt[: N_PROMPT // 2], max_tokens=1) for prompt in prompts(model)
        ]
        llm.generate(firsts)
        answers = llm.generate(asked)
        assert all(one.finish.usage.n_cached >= N_PROMPT // 2 - 1 for one in answers)
        found = lost(judge, asked, answers)
        assert found <= NOISE * alone


def test_after_parking_no_more_is_lost(judge: LLM, model: Model, alone: float) -> None:
    with LLM(model, SCARCE) as llm:
        asked = requests(model)
        answers = llm.generate(asked)
        assert sum(one.finish.usage.n_parked for one in answers) > 0
        found = lost(judge, asked, answers)
        assert found <= NOISE * alone


def test_the_same_path_says_the_same(model: Model) -> None:
    """Of texts only this can be asked: greedy, alone, from an empty cache, on the same threads."""
    with LLM(model, ROOMY) as llm:
        one = Request(prompt=prompts(model)[0], max_tokens=N_TOKENS, cache_prompt=False)
        first, second = (llm.generate([one])[0].tokens for _ in range(2))
    assert first == second
