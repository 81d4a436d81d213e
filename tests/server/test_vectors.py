"""/v1/embeddings and /v1/rerank."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, cast

import pytest
from jan_server.config import Settings
from jan_server.inference.vectors import pair
from openai import OpenAI

from jan_engine import Embedder, Model
from tests import architectures, models
from tests.server.running import Running, running

TEXTS = ["a", "once upon a time", "zero one two"]


@pytest.fixture(scope="module")
def ranking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An encoder with a head that ranks; it generates nothing."""
    path = tmp_path_factory.mktemp("rank") / "ranking.gguf"
    architectures.write(path, architectures.ranker())
    with running(Settings(model=str(path), threads=1)) as server:
        yield server


def test_vectors_are_the_embedder_s_in_both_encodings(
    random_server: Running, random_model: Model
) -> None:
    expected = Embedder(random_model, n_threads=1).embed(TEXTS)
    client = OpenAI(base_url=random_server.url + "/v1", api_key="placeholder")
    for encoding in ("float", "base64"):
        # The client asks for base64 by itself where nothing is said, and decodes it.
        answer = (
            client.embeddings.create(model="random", input=TEXTS, encoding_format="float")
            if encoding == "float"
            else client.embeddings.create(model="random", input=TEXTS)
        )
        assert [one.index for one in answer.data] == [0, 1, 2]
        for one, vector in zip(answer.data, expected, strict=True):
            assert one.embedding == pytest.approx(vector, abs=1e-3)
        assert answer.usage.prompt_tokens == sum(len(text) + 1 for text in TEXTS)


def test_tokens_are_embedded_as_they_are(random_server: Running) -> None:
    def vector(given: object) -> list[float]:
        body = {"model": "random", "input": given}
        found: list[float] = random_server.post("/v1/embeddings", body).json()["data"][0][
            "embedding"
        ]
        return found

    tokens = [models.BOS, *models.byte_tokens("abc")]
    assert vector(tokens) == pytest.approx(vector("abc"), abs=1e-3)
    assert vector([tokens]) == pytest.approx(vector(["abc"]), abs=1e-3)


def test_fewer_dimensions_are_the_first_ones_of_length_one(random_server: Running) -> None:
    body = {"model": "random", "input": "abc", "dimensions": 8}
    (one,) = random_server.post("/v1/embeddings", body).json()["data"]
    assert len(one["embedding"]) == 8
    assert math.sqrt(sum(x * x for x in one["embedding"])) == pytest.approx(1)


@pytest.mark.parametrize(
    ("body", "status", "param"),
    cast(
        "list[tuple[dict[str, object], int, str]]",
        [
            ({"model": "random"}, 400, "input"),
            ({"model": "random", "input": []}, 400, "input"),
            ({"model": "random", "input": ["a", 1]}, 400, "input"),
            ({"model": "random", "input": [[]]}, 400, "input[0]"),
            ({"model": "random", "input": "a", "dimensions": 0}, 400, "dimensions"),
            ({"model": "random", "input": "a", "dimensions": 65}, 400, "dimensions"),
            ({"model": "random", "input": "a", "encoding_format": "hex"}, 400, "encoding_format"),
            ({"model": "other", "input": "a"}, 404, "model"),
            ({"model": "random", "input": ["a"] * 3000}, 400, "input"),
        ],
    ),
)
def test_a_wrong_request_names_its_field(
    random_server: Running, body: dict[str, object], status: int, param: str
) -> None:
    answer = random_server.post("/v1/embeddings", body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


def test_an_input_that_is_too_long_says_so(random_server: Running) -> None:
    body = {"model": "random", "input": "a" * 2000}
    answer = random_server.post("/v1/embeddings", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"


def test_documents_are_ranked_by_the_model_s_scores(ranking: Running) -> None:
    body = {"model": "ranking", "query": "one", "documents": TEXTS, "return_documents": True}
    answer: dict[str, Any] = ranking.post("/v1/rerank", body).json()
    scores = [result["relevance_score"] for result in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    assert sorted(result["index"] for result in answer["results"]) == [0, 1, 2]
    (best,) = ranking.post("/v1/rerank", body | {"top_n": 1}).json()["results"]
    assert best["index"] == answer["results"][0]["index"]
    model = Model(ranking.served.path)
    pairs = [pair(model, models.byte_tokens("one"), models.byte_tokens(text)) for text in TEXTS]
    expected = [scores[0] for scores in Embedder(model, n_threads=1).embed(pairs)]
    results: list[dict[str, Any]] = answer["results"]
    for result in results:
        index: int = result["index"]
        assert result["document"] == TEXTS[index]
        assert result["relevance_score"] == pytest.approx(expected[index], abs=1e-2)


def test_a_model_without_a_head_does_not_rank(random_server: Running) -> None:
    body = {"model": "random", "query": "one", "documents": TEXTS}
    answer = random_server.post("/v1/rerank", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "not_implemented")


def test_an_encoder_is_served_and_says_that_it_generates_nothing(ranking: Running) -> None:
    assert ranking.get("/readyz").status_code == 200
    assert ranking.get("/v1/models").json()["data"][0]["id"] == "ranking"
    answer = ranking.post("/v1/completions", {"model": "ranking", "prompt": "a"})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "unsupported_feature"
