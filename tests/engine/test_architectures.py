"""Recurrent, hybrid, sliding-window and expert models: what a request gives depends on it alone.

Random weights have near-ties, which other kernels and other company may break otherwise. So
texts are compared with their log-probabilities, and up to the first tie that fell otherwise.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from jan_engine import (
    LLM,
    AsyncEngine,
    Completion,
    ContextOverflow,
    Embedder,
    EngineOptions,
    FinishReason,
    GreedyRunner,
    KvMode,
    Model,
    Request,
)
from tests import architectures, models
from tests.architectures import GEMMA2, JAMBA, LFM2, MAMBA, MIXTRAL, Architecture
from tests.engine.test_greedy import reference

ARCHITECTURES = {"mamba": MAMBA, "jamba": JAMBA, "lfm2": LFM2, "gemma2": GEMMA2, "mixtral": MIXTRAL}
MODES = [KvMode.UNIFIED, KvMode.STREAMS]
CLOSE = 5e-3  # log-probabilities that differ by less are the same
CLOSE_IN_16_BITS = 5e-2  # where one cache is rounded and the other is not
N_NEW = 40

TEXTS = [
    "a",
    "once upon a time",
    "zero one " * 9,
    "\n",
    "The quick brown fox",
    "x" * 200,
    "hither and thither " * 15,
    "b" * 33,
]


@dataclass(frozen=True)
class Subject:
    """A model, and what each prompt gives when nothing else was ever computed beside it."""

    model: Model
    lone: LLM

    @property
    def can_truncate(self) -> bool:
        return not (self.model.facts.is_recurrent or self.model.facts.is_hybrid)

    def alone(self, prompt: list[int], n: int = N_NEW) -> Completion:
        return self.lone.generate([asked(prompt, n, cache_prompt=False)])[0]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def subject(request: pytest.FixtureRequest, model_folder: Path) -> Subject:
    architecture: Architecture = ARCHITECTURES[request.param]
    model = Model(architectures.write(model_folder / f"{request.param}.gguf", architecture))
    return Subject(model, LLM(model, options(KvMode.STREAMS, n_parallel=1)))


def options(mode: KvMode, **changes: int) -> EngineOptions:
    fields = {"n_parallel": 8, "n_ctx": 512, "n_threads": 1, "n_ubatch": 64, **changes}
    # Rounded to 16 bits, as the cache and the flash kernel do it, a router's near-tie falls
    # otherwise once in a while, and another expert gives another answer.
    return EngineOptions(
        kv_mode=mode,
        cache_type="f32",
        flash_attention=False,
        check_integrity=True,
        **fields,  # type: ignore[arg-type]
    )


def asked(prompt: list[int], n: int = N_NEW, *, cache_prompt: bool = True) -> Request:
    return Request(
        prompt=prompt, max_tokens=n, ignore_eos=True, logprobs=2, cache_prompt=cache_prompt
    )


def assert_same(found: Completion, expected: Completion) -> None:
    """Equal tokens of nearly equal log-probabilities, until a tie falls otherwise."""
    assert len(found.tokens) == len(expected.tokens)
    for i, (a, b) in enumerate(zip(found.tokens, expected.tokens, strict=True)):
        _, best, second = expected.logprobs[3 * i : 3 * i + 3]
        if a != b:
            assert best.logprob - second.logprob < CLOSE, f"token {i} is {a} instead of {b}"
            return  # from here on the texts are different ones
        assert found.logprobs[3 * i].logprob == pytest.approx(best.logprob, abs=CLOSE), (
            f"token {i}, {a}, has another probability"
        )


def test_the_files_are_what_their_names_say(subject: Subject) -> None:
    facts = subject.model.facts
    name = subject.model.metadata["general.architecture"]
    assert (facts.is_recurrent, facts.is_hybrid) == (name == "mamba", name in ("jamba", "lfm2"))
    n_windows = {"gemma2": 1, "lfm2": 2}.get(str(name), 0)
    assert facts.n_swa == n_windows * architectures.N_WINDOW


def test_the_answer_is_that_of_upstreams_own_loop(subject: Subject) -> None:
    said: set[int] = set()
    for text in TEXTS[:6]:
        prompt = subject.model.tokenize(text)
        expected = subject.alone(prompt)
        found = reference(subject.model.path, prompt, N_NEW)
        greedy = list(GreedyRunner(subject.model, n_ctx=512, n_threads=1).generate(prompt, N_NEW))
        for other in (found, greedy):  # both end where the model does
            for i, (a, b) in enumerate(zip(other, expected.tokens, strict=False)):
                _, best, second = expected.logprobs[3 * i : 3 * i + 3]
                if a != b:
                    assert best.logprob - second.logprob < CLOSE_IN_16_BITS, (text, i)
                    break
            else:
                assert len(other) == N_NEW or expected.tokens[len(other)] == models.EOS
        said.update(expected.tokens)
    assert len(said) > 50  # noise, not a constant


def test_the_first_of_many_tokens_matters(subject: Subject) -> None:
    a, b = (subject.alone(subject.model.tokenize(c + " brown fox" * 5), 8) for c in "ab")
    far = max(abs(x.logprob - y.logprob) for x, y in zip(a.logprobs, b.logprobs, strict=True))
    assert far > 5 * CLOSE  # what was lost would be seen


@pytest.mark.parametrize("mode", MODES)
def test_a_request_among_others_gives_what_it_gives_alone(subject: Subject, mode: KvMode) -> None:
    prompts = [subject.model.tokenize(text) for text in TEXTS]
    with LLM(subject.model, options(mode)) as llm:
        answers = llm.generate([asked(prompt) for prompt in prompts])
    for prompt, answer in zip(prompts, answers, strict=True):
        assert_same(answer, subject.alone(prompt))


@pytest.mark.parametrize("mode", MODES)
def test_the_same_prompt_again_gives_the_same_answer(subject: Subject, mode: KvMode) -> None:
    prompts = [subject.model.tokenize(text) for text in TEXTS]
    # A guess takes the place of what a window has left, and the prompt's end with it.
    with LLM(subject.model, options(mode, n_parallel=16, speculation=False)) as llm:
        llm.generate([asked(prompt) for prompt in prompts])
        again = llm.generate([asked(prompt) for prompt in prompts])
    for prompt, answer in zip(prompts, again, strict=True):
        usage = answer.finish.usage
        # A state cannot go back to where the prompt ended.
        assert usage.n_cached == (len(prompt) - 1 if subject.can_truncate else 0)
        assert usage.n_cached + usage.n_evaluated == usage.n_prompt == len(prompt)
        assert_same(answer, subject.alone(prompt))


@pytest.mark.parametrize("mode", MODES)
def test_a_conversation_goes_on_from_the_cache(subject: Subject, mode: KvMode) -> None:
    prompts = [subject.model.tokenize(text) for text in TEXTS]
    said = subject.model.tokenize("and then?", add_special=False)
    with LLM(subject.model, options(mode)) as llm:
        first = llm.generate([asked(prompt) for prompt in prompts])
        longer = [[*p, *a.tokens, *said] for p, a in zip(prompts, first, strict=True)]
        second = llm.generate([asked(prompt) for prompt in longer])
    for prompt, before, answer in zip(prompts, longer, second, strict=True):
        # The last token that was said is in no cache.
        assert answer.finish.usage.n_cached == len(prompt) + N_NEW - 1
        assert_same(answer, subject.alone(before))


@pytest.mark.parametrize("mode", MODES)
def test_an_equal_prefix_gives_each_its_own_answer(subject: Subject, mode: KvMode) -> None:
    prefix = subject.model.tokenize("system: be brief. " * 8)
    prompts = [[*prefix, *models.byte_tokens(f"{i} is a number")] for i in range(8)]
    with LLM(subject.model, options(mode)) as llm:
        answers = llm.generate([asked(prompt) for prompt in prompts])
        computed = llm.core.stats()["n_prompt_tokens"]
    if subject.can_truncate:
        assert computed < 2 * len(prefix) + 8 * 20  # once, or for a few of them again
    for prompt, answer in zip(prompts, answers, strict=True):
        assert_same(answer, subject.alone(prompt))


@pytest.mark.parametrize("mode", MODES)
def test_a_prompt_that_begins_like_one_in_work_gives_its_own_answer(
    subject: Subject, mode: KvMode
) -> None:
    begun = subject.model.tokenize("hither and thither " * 15)
    prompts = [begun, subject.model.tokenize("short"), [*begun, *models.byte_tokens("!?")]]
    with LLM(subject.model, options(mode, n_parallel=2, n_ubatch=16)) as llm:
        # The third gets the lane of the second while the first is still being read.
        answers = llm.generate(
            [asked(p, n) for p, n in zip(prompts, (N_NEW, 1, N_NEW), strict=True)]
        )
    assert_same(answers[0], subject.alone(prompts[0]))
    assert_same(answers[2], subject.alone(prompts[2]))


@pytest.mark.parametrize("mode", MODES)
def test_a_lane_may_go_on_from_its_middle(subject: Subject, mode: KvMode) -> None:
    whole = subject.model.tokenize("hither and thither " * 15)
    other = [*whole[:150], *models.byte_tokens(", and something else")]
    with LLM(subject.model, options(mode, n_parallel=2)) as llm:
        llm.generate([asked(whole)])
        (answer,) = llm.generate([asked(other)])
    assert answer.finish.usage.n_cached == (150 if subject.can_truncate else 0)
    assert_same(answer, subject.alone(other))


@pytest.mark.parametrize("mode", MODES)
def test_a_lane_goes_on_from_its_middle_after_others_came_and_went(
    subject: Subject, mode: KvMode
) -> None:
    passing = subject.model.tokenize("y" * 200)
    whole = subject.model.tokenize("hither and thither " * 15)
    third = subject.model.tokenize("z" * 300)
    other = [*whole[:150], *models.byte_tokens(", and something else")]
    with LLM(subject.model, options(mode, n_parallel=4)) as llm:
        llm.generate([asked(passing, 60, cache_prompt=False), asked(whole)])
        llm.generate([asked(third)])  # where the first one was, and beyond
        (answer,) = llm.generate([asked(other)])
    assert_same(answer, subject.alone(other))


def test_a_full_cache_parks_and_resumes_with_the_same_text(subject: Subject) -> None:
    prompts = [subject.model.tokenize(text * 3) for text in ("abc", "def", "ghi", "jkl")]
    with LLM(subject.model, options(KvMode.UNIFIED, n_cells=512)) as tight:
        # Long enough that two of them do not fit: a slow machine may hand them over one by one.
        answers = tight.generate([asked(prompt, 300) for prompt in prompts])
    assert sum(answer.finish.usage.n_parked for answer in answers) > 0
    for prompt, answer in zip(prompts, answers, strict=True):
        assert_same(answer, subject.alone(prompt, 300))


@pytest.mark.parametrize("mode", MODES)
def test_a_full_context_ends_one_shifts_another_and_disturbs_nobody(
    subject: Subject, mode: KvMode
) -> None:
    prompt, bystander = subject.model.tokenize("once upon"), subject.model.tokenize("x" * 100)
    endless = Request(prompt=prompt, ignore_eos=True)
    shifting = Request(prompt=prompt, ignore_eos=True, shift_context=True, n_keep=4, max_tokens=700)
    with LLM(subject.model, options(mode, n_parallel=3, n_ctx=256)) as llm:
        ends, shifts, stays = llm.generate([endless, shifting, asked(bystander, 150)])
        (after,) = llm.generate([asked(bystander, cache_prompt=False)])
    assert ends.finish.reason is FinishReason.LENGTH
    assert len(ends.tokens) == 256 - len(prompt) + 1  # the last token needs no cell
    assert (shifts.finish.reason, len(shifts.tokens)) == (FinishReason.LENGTH, 700)
    assert shifts.finish.usage.truncated
    assert_same(stays, subject.alone(bystander, 150))
    assert_same(after, subject.alone(bystander))


@pytest.mark.parametrize("mode", MODES)
def test_a_prompt_that_does_not_fit_is_refused_by_its_length(
    subject: Subject, mode: KvMode
) -> None:
    with LLM(subject.model, options(mode, n_parallel=2, n_ctx=256)) as llm:
        with pytest.raises(ContextOverflow) as caught:
            llm.generate([[models.BOS] * 300])
        assert (caught.value.n_prompt, caught.value.n_ctx) == (300, 256)
        (whole,) = llm.generate([asked([models.BOS] * 256)])  # fits, and leaves no room
    assert (whole.finish.reason, len(whole.tokens)) == (FinishReason.LENGTH, 1)


@pytest.mark.parametrize("mode", MODES)
def test_those_who_leave_change_nothing_for_those_who_stay(subject: Subject, mode: KvMode) -> None:
    prompts = [subject.model.tokenize(text) for text in TEXTS]

    async def main() -> list[Completion]:
        async with AsyncEngine(subject.model, options(mode)) as engine:
            staying = [engine.submit(asked(prompt, 250)) for prompt in prompts[::2]]
            leaving = [engine.submit(asked(prompt, 300)) for prompt in prompts[1::2]]
            for stream in leaving:
                await anext(stream)
                stream.cancel()
            left = [await stream.result() for stream in leaving]
            assert {a.finish.reason for a in left} <= {FinishReason.CANCELLED, FinishReason.LENGTH}
            return [await stream.result() for stream in staying]

    for prompt, answer in zip(prompts[::2], asyncio.run(main()), strict=True):
        assert_same(answer, subject.alone(prompt, 250))


def test_a_vector_is_the_same_alone_and_in_company(subject: Subject) -> None:
    embedder = Embedder(subject.model, n_ctx=512, n_threads=1)
    together = embedder.embed(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        assert vector == pytest.approx(embedder.embed([text])[0], abs=2e-3)
    assert together[0] != pytest.approx(together[1], abs=5e-2)
