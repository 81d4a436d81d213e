"""Forward passes without an engine: timed, and over a text in lockstep."""

from __future__ import annotations

import _thread
import threading
from pathlib import Path

import numpy as np
import pytest

from jan_engine import GreedyRunner, Model
from jan_engine.errors import ContextOverflow, InvalidRequest, UnsupportedFeature
from jan_engine.gauge import Gauge, Lockstep, ScoredToken
from tests import models

N_VOCAB = models.N_SPECIAL + 256
WINDOW = [(i * 37 + 11) % N_VOCAB for i in range(48)]


@pytest.fixture(scope="module")
def other_model(model_folder: Path) -> Model:
    return Model(models.write_random(model_folder / "other.gguf", seed=8))


def gauge(model: Model, n_ctx: int = 48, n_ubatch: int = 48) -> Gauge:
    return Gauge(model, n_ctx=n_ctx, n_batch=n_ubatch, n_ubatch=n_ubatch, n_wanted=n_ubatch)


def rows(model: Model, tokens: list[int]) -> np.ndarray:
    """Log-probabilities after each token, read one at a time."""
    runner = GreedyRunner(model, n_ctx=64, n_threads=1)
    found: list[list[float]] = []
    for token in tokens:
        runner.core.feed([token])
        found.append(runner.core.logits())
    logits = np.array(found, dtype=np.float64)
    top = logits.max(axis=1, keepdims=True)
    log_probabilities: np.ndarray = (
        logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    )
    return log_probabilities


@pytest.mark.parametrize(("asked", "was"), [(None, True), (True, True), (False, False)])
def test_it_tells_which_attention_kernel_there_is(
    random_model: Model, asked: bool | None, was: bool
) -> None:
    assert Gauge(random_model, n_ctx=32, n_threads=1, flash_attention=asked).flash is was


def test_each_token_is_scored_as_its_logits_say(random_model: Model, other_model: Model) -> None:
    (found,) = Lockstep(gauge(random_model), [gauge(other_model)]).score(WINDOW, 20)
    p, q = rows(random_model, WINDOW), rows(other_model, WINDOW)
    at, following = range(20, 47), WINDOW[21:]
    assert len(found) == len(following)
    assert [one.base_nll for one in found] == pytest.approx(-p[at, following], abs=2e-3)
    assert [one.nll for one in found] == pytest.approx(-q[at, following], abs=2e-3)
    divergence = (np.exp(p) * (p - q)).sum(axis=1)[20:47]
    assert [one.kl for one in found] == pytest.approx(divergence, abs=2e-3)
    same = p.argmax(axis=1) == q.argmax(axis=1)
    assert [one.same_best for one in found] == same[20:47].tolist()


@pytest.mark.parametrize("n_ubatch", [7, 21, 22, 47])
def test_pieces_of_any_size_say_the_same(
    n_ubatch: int, random_model: Model, other_model: Model
) -> None:
    def scored(n: int) -> list[ScoredToken]:
        step = Lockstep(gauge(random_model, n_ubatch=n), [gauge(other_model, n_ubatch=n)])
        step.score(WINDOW[::-1], 0)  # of which nothing must be left
        return step.score(WINDOW, 20)[0]

    for piece, whole in zip(scored(n_ubatch), scored(48), strict=True):
        assert piece.base_nll == pytest.approx(whole.base_nll, abs=2e-3)
        assert piece.nll == pytest.approx(whole.nll, abs=2e-3)
        assert piece.kl == pytest.approx(whole.kl, abs=2e-3)


def test_a_model_is_no_distance_from_itself(random_model: Model) -> None:
    both = Lockstep(gauge(random_model), [gauge(random_model), gauge(random_model)])
    for found in both.score(WINDOW, 0):
        assert {(one.kl, one.same_best, one.nll - one.base_nll) for one in found} == {(0, True, 0)}


def test_without_others_the_reference_is_scored(random_model: Model) -> None:
    (alone,) = Lockstep(gauge(random_model)).score(WINDOW, 20)
    (beside,) = Lockstep(gauge(random_model), [gauge(random_model)]).score(WINDOW, 20)
    assert [one.base_nll for one in alone] == [one.base_nll for one in beside]


def test_a_model_that_computes_no_numbers_has_no_figures(
    random_model: Model, model_folder: Path
) -> None:
    path = models.write_random(model_folder / "poisoned.gguf", poison="output.weight")
    (found,) = Lockstep(gauge(random_model), [gauge(Model(path))]).score(WINDOW, 20)
    assert all(np.isnan(one.nll) and np.isnan(one.kl) for one in found)
    assert not any(np.isnan(one.base_nll) for one in found)


def test_vocabularies_of_other_sizes_are_refused(random_model: Model, alphabet_path: Path) -> None:
    words = models.write_scripted(alphabet_path.with_name("words.gguf"), {}, words=["word"])
    with pytest.raises(InvalidRequest, match="its vocabulary has 259 tokens, the reference's 258"):
        Lockstep(gauge(random_model), [gauge(Model(words))])


def test_prompts_and_tokens_take_time(random_model: Model) -> None:
    one, eight = (Gauge(random_model, n_ctx=96, n_streams=n, n_threads=1) for n in (1, 8))
    for it in (one, eight):
        both, deep = it.time(32, 8), it.time(32, 8, n_depth=32)
        assert min(both.prompt_ns, both.decode_ns, deep.prompt_ns, deep.decode_ns) > 1000
        assert it.time(32, 0).decode_ns < both.decode_ns
        assert it.time(0, 8).prompt_ns < both.prompt_ns
        assert it.time(0, 64, n_depth=32).decode_ns > 0  # to the last cell
        assert it.time(0, 8, n_depth=16).decode_ns > 0  # another depth
    assert one.n_threads == 1


def test_what_does_not_fit_is_refused_and_leaves_it_usable(random_model: Model) -> None:
    it = Gauge(random_model, n_ctx=64)
    with pytest.raises(ContextOverflow, match="65 tokens do not fit a context of 64"):
        it.time(32, 16, n_depth=17)
    with pytest.raises(InvalidRequest):
        it.time(-1, 1)
    assert it.time(32, 32).prompt_ns > 0
    with pytest.raises(InvalidRequest, match="more tokens than the context has"):
        Lockstep(gauge(random_model, n_ctx=32)).score(WINDOW, 0)
    with pytest.raises(InvalidRequest, match="outside the vocabulary"):
        Lockstep(gauge(random_model)).score([0, N_VOCAB], 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_ctx": 0},
        {"n_streams": 0},
        {"n_streams": 9999},
        {"n_ctx": 1 << 24, "n_streams": 256},
        {"n_batch": 0},
        {"n_ubatch": 0},
        {"n_wanted": -1},
        {"n_wanted": 513},
        {"n_threads": -1},
        {"poll": 101},
        {"cache_type_k": "q2"},
        {"cache_type_v": "q4_0", "flash_attention": False},
        {"cache_type_k": "q8_0"},  # blocks of 32 in heads of 16
    ],
)
def test_settings_that_cannot_be_are_said(wrong: dict[str, int | str], random_model: Model) -> None:
    with pytest.raises(InvalidRequest):
        Gauge(random_model, **{"n_ctx": 32, **wrong})  # type: ignore[arg-type]


def test_a_vocabulary_alone_computes_nothing(random_path: Path) -> None:
    with pytest.raises(UnsupportedFeature):
        Gauge(Model(random_path, vocab_only=True), n_ctx=32)


def test_ctrl_c_ends_it_and_the_next_may_follow(random_model: Model) -> None:
    it = Gauge(random_model, n_ctx=200_000, n_threads=1)
    threading.Timer(0.3, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        it.time(100_000, 100_000)
    assert it.time(8, 8).decode_ns > 0
