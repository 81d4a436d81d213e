"""Vectors depend on their own text, on nothing beside it."""

from __future__ import annotations

import math
import threading

import pytest

from jan_engine import LLM, ContextOverflow, Embedder, EngineOptions, InvalidRequest, Model, Pooling

TEXTS = ["a", "once upon a time", "zero one two", "x" * 100]


@pytest.fixture(scope="module")
def embedder(random_model: Model) -> Embedder:
    return Embedder(random_model, n_ctx=256)


def test_a_vector_is_the_same_alone_and_in_company(embedder: Embedder) -> None:
    together = embedder.embed(TEXTS * 30)  # more than one pass takes
    for text, vector in zip(TEXTS * 30, together, strict=True):
        (alone,) = embedder.embed([text])
        assert vector == pytest.approx(alone, abs=1e-3)
        assert math.sqrt(sum(x * x for x in vector)) == pytest.approx(1)
        assert len(vector) == embedder.core.n_out == 64
    assert together[0] != pytest.approx(together[1], abs=1e-2)


def test_the_pooling_is_the_callers_or_the_mean(random_model: Model) -> None:
    assert Embedder(random_model, n_ctx=64).core.pooling == Pooling.MEAN
    last = Embedder(random_model, n_ctx=64, pooling=Pooling.LAST)
    first = Embedder(random_model, n_ctx=64, pooling=Pooling.FIRST)
    assert last.embed(["ab"])[0] != pytest.approx(last.embed(["ac"])[0], abs=1e-2)
    assert first.embed(["ab"])[0] == pytest.approx(first.embed(["ac"])[0], abs=1e-3)  # both BOS


def test_long_empty_and_impossible_inputs_name_which_they_are(embedder: Embedder) -> None:
    with pytest.raises(ContextOverflow, match=r"input\[1\]"):
        embedder.embed(["a", "x" * 300])
    with pytest.raises(InvalidRequest, match=r"input\[0\]"):
        embedder.embed([[]])
    with pytest.raises(InvalidRequest, match="input"):
        embedder.embed([[2**35]])
    assert embedder.embed([]) == []
    with pytest.raises(InvalidRequest):
        Embedder(embedder.model, n_ctx=-1)


def test_threads_and_an_engine_share_the_model(embedder: Embedder, random_model: Model) -> None:
    expected = embedder.embed(TEXTS)
    found: list[list[list[float]]] = []
    threads = [
        threading.Thread(target=lambda: found.append(embedder.embed(TEXTS))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    with LLM(random_model, EngineOptions(n_parallel=2, n_ctx=256, n_threads=1)) as llm:
        assert llm.generate(["abc"], max_tokens=8)[0].tokens
    for thread in threads:
        thread.join()
    assert found == [expected] * 3
