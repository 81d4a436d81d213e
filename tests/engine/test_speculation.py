"""Guessing ahead changes how fast a text comes, never the text."""

from __future__ import annotations

from pathlib import Path

import pytest

from jan_engine import LLM, Completion, EngineOptions, KvMode, Model, Request, Sampling
from tests import architectures, models

MODES = [KvMode.UNIFIED, KvMode.STREAMS]


def answers(
    model: Model, mode: KvMode, requests: list[Request], **changes: object
) -> list[Completion]:
    fields: dict[str, object] = {"n_parallel": 4, "n_ctx": 512, "n_threads": 1, **changes}
    # As exact as passes of other shapes can be: a draw falls otherwise at a difference of 1e-3.
    fields |= {"cache_type": "f32", "flash_attention": False}
    options = EngineOptions(kv_mode=mode, check_integrity=True, **fields)  # type: ignore[arg-type]
    with LLM(model, options) as llm:
        return llm.generate(list(requests))


def repetitive(model: Model) -> list[list[int]]:
    """Prompts after which a model of noise goes on with what it said before."""
    texts = ["once upon a time", "zero one " * 9, "the quick brown fox " * 4]
    prompts: list[list[int]] = []
    for text in texts:
        prompt = model.tokenize(text)
        (said,) = answers(model, KvMode.UNIFIED, [Request(prompt=prompt, max_tokens=60)])
        prompts.append([*prompt, *said.tokens, *prompt[1:], *said.tokens, *prompt[1:]])
    return prompts


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", [None, 11])
def test_the_text_is_the_same_with_and_without(
    random_model: Model, mode: KvMode, seed: int | None
) -> None:
    drawn = None if seed is None else Sampling(seed=seed, temperature=0.3, repeat_penalty=1.05)
    requests = [
        Request(prompt=prompt, max_tokens=200, sampling=drawn, logprobs=1, ignore_eos=True)
        for prompt in repetitive(random_model)
    ]
    without = answers(random_model, mode, requests, speculation=False)
    found = answers(random_model, mode, requests)
    alone = [answers(random_model, mode, [request])[0] for request in requests]
    for guessed in (found, alone):
        for a, b in zip(guessed, without, strict=True):
            assert a.tokens == b.tokens
            assert a.text == b.text
            for one, other in zip(a.logprobs, b.logprobs, strict=True):
                assert one.token == other.token
                assert one.logprob == pytest.approx(other.logprob, abs=1e-2)
    assert not any(a.finish.usage.n_drafted for a in without)


@pytest.mark.parametrize("mode", MODES)
def test_what_repeats_comes_in_few_passes(tmp_path: Path, mode: KvMode) -> None:
    letters = models.byte_tokens(models.ALPHABET)
    ring = dict(zip(letters, [*letters[1:], letters[0]], strict=True))
    model = Model(models.write_scripted(tmp_path / "ring.gguf", ring))
    request = Request(prompt="a", max_tokens=400)
    for _ in range(3):  # passes that a busy machine made slow can make guessing look dear
        (answer,) = answers(model, mode, [request])
        assert answer.text == (models.ALPHABET * 20)[1:401]
        usage = answer.finish.usage
        assert usage.n_accepted <= usage.n_drafted
        if usage.n_accepted:
            break
    else:
        pytest.fail("three engines, and none guessed what repeats")
    (plain,) = answers(model, mode, [Request(prompt="a", max_tokens=400, speculate=False)])
    assert (plain.text, plain.finish.usage.n_drafted) == (answer.text, 0)
    (stopped,) = answers(model, mode, [Request(prompt="abcdefghij" * 9 + "a", stop=["xyzabcd"])])
    assert stopped.text.endswith("uvw")
    assert stopped.finish.stop == "xyzabcd"


def test_a_window_keeps_what_it_needs(tmp_path: Path) -> None:
    model = Model(architectures.write(tmp_path / "window.gguf", architectures.GEMMA2))
    requests = [Request(prompt=p, max_tokens=150, ignore_eos=True) for p in repetitive(model)]
    without = answers(model, KvMode.STREAMS, requests, speculation=False)
    assert [a.tokens for a in answers(model, KvMode.STREAMS, requests)] == [
        a.tokens for a in without
    ]
