"""The harness over HTTP has the scores that the engine has in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jan_engine import LLM, EngineOptions, Model
from jan_engine.lm_eval import Scorer
from tests.clients.environments import program, ran
from tests.server.running import Running

SESSION = Path(__file__).parent / "lm_eval_session.py"
CONTEXTS = ("once upon", "the quick brown fox", "lorem ipsum dolor sit amet")
ENDINGS = (" a time", " jumps over", " x", " consectetur adipiscing elit")

pytestmark = pytest.mark.unsanitized


class Asked(NamedTuple):
    args: tuple[Any, ...]


def test_scores_over_http_are_those_in_process(
    random_server: Running, random_model: Model, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        "\n".join(json.dumps({"q": text, "choices": ENDINGS, "gold": 0}) for text in CONTEXTS)
    )
    python = program("lm_eval")
    told = ran(python, SESSION, random_server.url, rows).splitlines()[-1]
    over_http = [logprob for logprob, _ in json.loads(told)]
    asked = [Asked((context, ending)) for context in CONTEXTS for ending in ENDINGS]
    with LLM(random_model, EngineOptions(n_parallel=4, n_ctx=512, n_threads=1)) as llm:
        in_process = [logprob for logprob, _ in Scorer(llm).loglikelihood(asked)]
    assert over_http == pytest.approx(in_process, abs=1e-2)
