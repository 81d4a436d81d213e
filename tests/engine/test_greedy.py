"""Greedy generation, held to a loop written against llama.h alone."""

from __future__ import annotations

import os
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from jan_engine import Cancelled, ContextOverflow, GreedyRunner, InvalidRequest, Model, backends
from jan_engine.backend import Status
from tests import models
from tests.conftest import ROOT


def reference(model_path: Path, prompt: list[int], n_tokens: int) -> list[int]:
    cpu = next(b for b in backends() if b.status is Status.LOADED and b.instructions)
    program = ROOT / os.environ.get("JAN_BUILD", "build/dev") / "tests/csrc/reference_greedy"
    command = [str(program), cpu.path, str(model_path), str(n_tokens), *map(str, prompt)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={})
    return [int(token) for token in done.stdout.split()]


@pytest.mark.parametrize("text", ["a", "once upon a time", "\n", "zero one " * 30])
@pytest.mark.parametrize("seed", [7, 8])
def test_tokens_equal_upstreams_own_loop(tmp_path: Path, text: str, seed: int) -> None:
    path = models.write_random(tmp_path / "random.gguf", seed=seed)
    model = Model(path)
    prompt = model.tokenize(text)
    # One thread on both sides: with more, sums are split and rounded otherwise.
    found = list(GreedyRunner(model, n_threads=1).generate(prompt, 100))
    assert found == reference(path, prompt, 100)
    assert len(set(found)) > 3  # noise, not a constant


def test_a_prompt_longer_than_one_pass_changes_nothing(random_model: Model) -> None:
    prompt = random_model.tokenize("x" * 300)
    whole = list(GreedyRunner(random_model).generate(prompt, 32))
    assert list(GreedyRunner(random_model, n_ubatch=64).generate(prompt, 32)) == whole


def test_the_first_byte_of_the_prompt_matters(random_model: Model) -> None:
    runner = GreedyRunner(random_model, n_ctx=256)
    first = list(runner.generate(random_model.tokenize("a brown fox"), 16))
    assert first != list(runner.generate(random_model.tokenize("b brown fox"), 16))
    assert first == list(runner.generate(random_model.tokenize("a brown fox"), 16))


def test_a_script_is_followed_to_its_end(alphabet: Model) -> None:
    tokens = list(GreedyRunner(alphabet, n_ctx=128).generate(alphabet.tokenize("a")))
    assert alphabet.detokenize(tokens) == b"bcdefghijklmnopqrstuvwxyz"


def test_max_tokens_is_a_limit(alphabet: Model) -> None:
    runner = GreedyRunner(alphabet, n_ctx=128)
    assert len(list(runner.generate(alphabet.tokenize("a"), 3))) == 3
    assert list(runner.generate(alphabet.tokenize("a"), 0)) == []


def test_generation_ends_when_the_context_is_full(tmp_path: Path) -> None:
    (a,) = models.byte_tokens("a")
    model = Model(models.write_scripted(tmp_path / "forever.gguf", {a: a}))
    runner = GreedyRunner(model, n_ctx=256)
    prompt = model.tokenize("aaa")
    assert len(list(runner.generate(prompt))) == 256 - len(prompt)


def test_a_prompt_that_does_not_fit_says_how_long_it_is(random_model: Model) -> None:
    runner = GreedyRunner(random_model, n_ctx=256)
    with pytest.raises(ContextOverflow) as caught:
        list(runner.generate([models.BOS] * 300, 4))
    assert (caught.value.n_prompt, caught.value.n_ctx) == (300, 256)
    assert list(runner.generate([models.BOS], 2))  # and the runner is none the worse


def test_an_empty_prompt_is_refused(alphabet: Model) -> None:
    with pytest.raises(InvalidRequest):
        list(GreedyRunner(alphabet, n_ctx=128).generate([]))


@pytest.mark.parametrize("token", [-1, 258, 2**31 - 1, 2**31, -(2**70)])
def test_a_token_outside_the_vocabulary_is_refused(alphabet: Model, token: int) -> None:
    with pytest.raises(InvalidRequest):
        list(GreedyRunner(alphabet, n_ctx=128).generate([token]))


@pytest.mark.parametrize("number", [2**31, 2**32, -(2**31), 2**70])
@pytest.mark.parametrize("field", ["n_ctx", "n_ubatch", "n_threads"])
def test_a_number_of_more_than_32_bits_is_refused_by_name(
    alphabet: Model, field: str, number: int
) -> None:
    with pytest.raises(InvalidRequest, match=f"^{field}: {number} "):
        GreedyRunner(alphabet, **{field: number})  # type: ignore[arg-type]


def test_a_token_of_more_than_32_bits_is_refused_by_name(alphabet: Model) -> None:
    with pytest.raises(InvalidRequest, match=f"^prompt: {2**31} "):
        list(GreedyRunner(alphabet, n_ctx=128).generate([models.BOS, 2**31]))


@pytest.mark.parametrize(
    "options", [{"n_ctx": -1}, {"n_ubatch": 0}, {"n_threads": -1}, {"n_threads": 10_000}]
)
def test_impossible_options_are_refused(alphabet: Model, options: dict[str, int]) -> None:
    with pytest.raises(InvalidRequest):
        GreedyRunner(alphabet, **options)  # type: ignore[arg-type]


def test_nothing_fed_means_no_next_token(alphabet: Model) -> None:
    with pytest.raises(InvalidRequest):
        GreedyRunner(alphabet, n_ctx=128).core.argmax()


def test_a_forward_pass_is_cancelled_from_another_thread(tmp_path: Path) -> None:
    # Large enough that feeding the prompt takes seconds.
    shape = replace(models.TINY, n_embd=512, n_ff=4096, n_layer=6, n_ctx=16384)
    path = models.write_random(tmp_path / "big.gguf", shape=shape)
    runner = GreedyRunner(Model(path), n_ubatch=128)
    threading.Timer(0.3, runner.core.cancel).start()
    with pytest.raises(Cancelled):
        runner.core.feed([models.BOS] * 16000)
    runner.core.clear()
    runner.core.feed([models.BOS])
    assert runner.core.n_past == 1


def test_two_runners_share_a_model_on_two_threads(random_model: Model) -> None:
    prompt = random_model.tokenize("shared")
    expected = list(GreedyRunner(random_model, n_ctx=128).generate(prompt, 40))
    found: list[list[int]] = []

    def work() -> None:
        found.append(list(GreedyRunner(random_model, n_ctx=128, n_threads=1).generate(prompt, 40)))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected, expected]
