"""The harness's questions, asked of the engine; with the harness itself where it is installed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest

from jan_engine import LLM, EngineOptions, GreedyRunner, Model
from jan_engine.lm_eval import Scorer, harness_model

SMALL = EngineOptions(n_parallel=4, n_ctx=256, n_threads=1)


class Asked(NamedTuple):
    args: tuple[Any, ...]


def test_what_the_model_would_say_is_greedy_and_likely(alphabet: Model) -> None:
    with LLM(alphabet, SMALL) as llm:
        (yes, sure), (no, unsure) = Scorer(llm).loglikelihood(
            [Asked(("abc", "defg")), Asked(("abc", "dxfg"))]
        )
    assert (sure, unsure) == (True, False)
    assert no < yes < 0


def test_a_continuation_is_the_difference_of_two_texts(random_model: Model) -> None:
    with LLM(random_model, SMALL) as llm:
        scorer = Scorer(llm)
        ((rest, _),) = scorer.loglikelihood([Asked(("once upon", " a time"))])
        whole, front = scorer.loglikelihood_rolling(
            [Asked(("once upon a time",)), Asked(("once upon",))]
        )
        # The same prefix, several endings: computed once.
        before = llm.core.stats()["n_prompt_tokens"]
        context = "the quick brown fox jumps over the lazy dog"
        scorer.loglikelihood([Asked((context, f" {ending}")) for ending in "abcdefgh"])
        assert llm.core.stats()["n_prompt_tokens"] - before < 2 * len(context)
        (long,) = scorer.loglikelihood_rolling([Asked(("abc " * 200,))])
        assert math.isfinite(long)
    assert rest == pytest.approx(whole - front, abs=1e-2)


def test_scores_are_those_of_one_token_at_a_time(random_model: Model) -> None:
    runner = GreedyRunner(random_model, n_ctx=256, cache_type="f32", flash_attention=False).core
    pairs = [
        (context, f" {ending}")
        for context in ("once upon", "the quick brown fox", "lorem ipsum dolor sit amet")
        for ending in ("a time", "jumps over", "x", "consectetur adipiscing elit")
    ]
    forced: list[float] = []
    for context, ending in pairs:
        whole = random_model.tokenize(context + ending)
        n_before = len(random_model.tokenize(context))
        score = 0.0
        runner.clear()
        for place, token in enumerate(whole):
            if place >= n_before:
                row = np.array(runner.logits(), dtype=np.float64)
                score += row[token] - row.max() - np.log(np.exp(row - row.max()).sum())
            runner.feed([token])
        forced.append(score)
    exact = msgspec.structs.replace(SMALL, cache_type="f32", flash_attention=False)
    with LLM(random_model, exact) as llm:
        found = Scorer(llm).loglikelihood([Asked(pair) for pair in pairs])
    assert [score for score, _ in found] == pytest.approx(forced, abs=1e-4)


def test_a_text_goes_on_until_it_is_told_to_stop(alphabet: Model) -> None:
    with LLM(alphabet, SMALL) as llm:
        found = Scorer(llm).generate_until(
            [Asked(("ab", {"until": ["jk"]})), Asked(("ab", {"until": "z", "max_gen_toks": 3}))]
        )
    assert found == ["cdefghi", "cde"]


def test_a_task_of_the_harness_runs(alphabet_path: Path, tmp_path: Path) -> None:
    harness = pytest.importorskip("lm_eval", reason="pip install lm_eval")
    data = tmp_path / "letters.jsonl"
    rows = (
        f'{{"q": "{a}{b}", "choices": ["{c}", "a"], "gold": 0}}'
        for a, b, c in zip("abc", "bcd", "cde", strict=True)
    )
    data.write_text("\n".join(rows))
    task = {
        "task": "letters",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{q}}",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "gold",
        "target_delimiter": "",
        "metric_list": [{"metric": "acc"}],
    }
    found = harness.simple_evaluate(
        harness_model(alphabet_path, SMALL), tasks=[task], bootstrap_iters=0
    )
    assert found["results"]["letters"]["acc,none"] == 1.0
