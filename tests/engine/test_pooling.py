"""Encoders and what is made of their tokens' vectors, held to the same sums in numpy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest

from jan_engine import LLM, Embedder, InvalidRequest, Model, Pooling, UnsupportedFeature
from tests import architectures, models
from tests.architectures import N_EMBD, N_HEAD, N_POSITIONS, Architecture, Weights
from tests.conftest import ROOT

TEXTS = ["a", "once upon a time", "zero one two", "x" * 100, "\n", "The quick brown fox"]
CLOSE = 1e-2  # upstream looks some functions up in tables of 16 bits
N_LABELS = 3

HEADLESS = {
    Pooling.FIRST: architectures.bert(gguf.PoolingType.CLS),
    Pooling.MEAN: architectures.bert(gguf.PoolingType.MEAN),
}


def encoded(w: Weights, tokens: list[int]) -> np.ndarray:
    """The vectors of all tokens after the last layer."""

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        y: np.ndarray = x @ w[f"{name}.weight"].T + w[f"{name}.bias"]
        return y

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centered = x - x.mean(-1, keepdims=True)
        scale = np.sqrt((centered**2).mean(-1, keepdims=True) + 1e-5)
        y: np.ndarray = centered / scale * w[f"{name}.weight"] + w[f"{name}.bias"]
        return y

    def by_head(x: np.ndarray) -> np.ndarray:
        return x.reshape(len(tokens), N_HEAD, -1).swapaxes(0, 1)

    x = w["token_embd.weight"][tokens] + w["token_types.weight"][0]
    x = norm(x + w["position_embd.weight"][: len(tokens)], "token_embd_norm")
    for layer in ("blk.0", "blk.1"):
        q, k, v = (by_head(linear(x, f"{layer}.attn_{name}")) for name in "qkv")
        scores = np.exp(q @ k.swapaxes(1, 2) / np.sqrt(N_EMBD / N_HEAD))
        seen = (scores / scores.sum(-1, keepdims=True) @ v).swapaxes(0, 1)
        mixed = linear(seen.reshape(len(tokens), N_EMBD), f"{layer}.attn_output")
        x = norm(x + mixed, f"{layer}.attn_output_norm")
        up = linear(x, f"{layer}.ffn_up")
        gelu = up / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (up + 0.044715 * up**3)))
        x = norm(x + linear(gelu, f"{layer}.ffn_down"), f"{layer}.layer_output_norm")
    return x


def scored(w: Weights, tokens: list[int]) -> np.ndarray:
    hidden = np.tanh(encoded(w, tokens)[0] @ w["cls.weight"].T + w["cls.bias"])
    scores: np.ndarray = hidden @ w["cls.output.weight"].T + w["cls.output.bias"]
    return scores


def load(folder: Path, architecture: Architecture) -> Model:
    return Model(architectures.write(folder / "encoder.gguf", architecture))


@pytest.fixture
def ranker(tmp_path: Path) -> Model:
    return load(tmp_path, architectures.ranker())


@pytest.mark.parametrize("pooling", HEADLESS)
def test_the_file_says_how_its_vectors_are_pooled(tmp_path: Path, pooling: Pooling) -> None:
    model = load(tmp_path, HEADLESS[pooling])
    embedder = Embedder(model)
    assert embedder.core.pooling == pooling
    w = architectures.weights(HEADLESS[pooling])
    for text, vector in zip(TEXTS, embedder.embed(TEXTS, normalize=False), strict=True):
        x = encoded(w, model.tokenize(text))
        assert vector == pytest.approx(x[0] if pooling == Pooling.FIRST else x.mean(0), abs=CLOSE)


def test_the_callers_pooling_goes_before_the_files(tmp_path: Path) -> None:
    model = load(tmp_path, HEADLESS[Pooling.MEAN])
    w = architectures.weights(HEADLESS[Pooling.MEAN])
    (vector,) = Embedder(model, pooling=Pooling.LAST).embed(["ab"], normalize=False)
    assert vector == pytest.approx(encoded(w, model.tokenize("ab"))[-1], abs=CLOSE)


@pytest.mark.parametrize("n_labels", [1, N_LABELS])
def test_scores_are_those_of_the_files_head(tmp_path: Path, n_labels: int) -> None:
    architecture = architectures.ranker(n_labels)
    model = load(tmp_path, architecture)
    embedder = Embedder(model)
    assert (embedder.core.pooling, embedder.core.n_out) == (Pooling.RANK, n_labels)
    w = architectures.weights(architecture)
    found = embedder.embed(TEXTS)
    for text, scores in zip(TEXTS, found, strict=True):  # scores are not made to be of length one
        assert scores == pytest.approx(scored(w, model.tokenize(text)), abs=CLOSE)
    assert len({round(scores[0], 1) for scores in found}) > 2


def test_a_score_is_the_same_alone_and_in_any_company(ranker: Model) -> None:
    embedder = Embedder(ranker, n_threads=1)
    alone = [embedder.embed([text])[0] for text in TEXTS]
    together = embedder.embed(TEXTS * 30)  # more than one pass takes
    backwards = embedder.embed([*reversed(TEXTS)])
    for i, scores in enumerate(together):
        assert scores == pytest.approx(alone[i % len(TEXTS)], abs=2e-3)
    for scores, expected in zip(backwards, reversed(alone), strict=True):
        assert scores == pytest.approx(expected, abs=2e-3)


def test_a_ranker_gives_vectors_to_those_who_ask_for_them(ranker: Model) -> None:
    embedder = Embedder(ranker, pooling=Pooling.MEAN)
    assert embedder.core.n_out == N_EMBD
    w = architectures.weights(architectures.ranker())
    (vector,) = embedder.embed(["abc"], normalize=False)
    assert vector == pytest.approx(encoded(w, ranker.tokenize("abc")).mean(0), abs=CLOSE)


def test_a_model_without_a_head_is_no_ranker(tmp_path: Path, random_model: Model) -> None:
    for model in (random_model, load(tmp_path, HEADLESS[Pooling.MEAN])):
        with pytest.raises(InvalidRequest, match="rank"):
            Embedder(model, pooling=Pooling.RANK)


def test_an_encoder_writes_no_text(ranker: Model) -> None:
    with pytest.raises(UnsupportedFeature):
        LLM(ranker)


def test_the_longest_input_is_as_long_as_the_table_of_positions(ranker: Model) -> None:
    embedder = Embedder(ranker)
    assert embedder.core.n_ctx == N_POSITIONS
    tokens = [models.BOS] * N_POSITIONS
    w = architectures.weights(architectures.ranker())
    assert embedder.embed([tokens])[0] == pytest.approx(scored(w, tokens), abs=CLOSE)


@pytest.mark.unsanitized
def test_a_longer_context_does_not_read_past_the_table(tmp_path: Path) -> None:
    path = architectures.write(tmp_path / "encoder.gguf", architectures.ranker())
    program = f"""
from jan_engine import ContextOverflow, Embedder, Model
embedder = Embedder(Model({str(path)!r}), n_ctx={4 * N_POSITIONS})
try:
    embedder.embed([[{models.BOS}] * {2 * N_POSITIONS}])
except ContextOverflow as error:
    print(error.n_ctx)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stdout) == (0, f"{N_POSITIONS}\n"), done.stderr
