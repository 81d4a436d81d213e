"""The stock harness, started by its own command, has the scores that the engine has in process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jan_server.config import Settings

from jan_engine import LLM, EngineOptions
from jan_engine.lm_eval import Scorer
from tests import models
from tests.clients.environments import program, ran
from tests.server.running import running

TASK = Path(__file__).parent / "lm_eval_task.yaml"
CONTEXTS = ("once upon", "the quick brown fox", "lorem ipsum dolor sit amet")
ENDINGS = ("a time", "jumps over", "x", "consectetur adipiscing elit")

pytestmark = pytest.mark.unsanitized


class Asked(NamedTuple):
    args: tuple[Any, ...]


def scores(folder: Path, model: str, arguments: str) -> list[list[float]]:
    """Of each row and ending, as `lm_eval` writes them down."""
    rows = [{"query": text, "choices": ENDINGS, "label": 0} for text in CONTEXTS]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "endings.yaml").write_text(
        TASK.read_text().replace("ROWS", str(folder / "rows.jsonl"))
    )
    ran(
        *(program("lm_eval", "lm_eval"), "--model", model, "--model_args", arguments),
        *("--tasks", "endings", "--include_path", folder, "--log_samples"),
        *("--output_path", folder / "told"),
        environment=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home")},
    )
    (written,) = (folder / "told").rglob("samples_endings_*.jsonl")
    samples = sorted(map(json.loads, written.read_text().splitlines()), key=lambda s: s["doc_id"])
    return [[float(pair[0]) for (pair,) in sample["resps"]] for sample in samples]


@pytest.fixture(scope="module")
def bare_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that begins texts with no token of its own: the harness asks for none."""
    path = tmp_path_factory.mktemp("models") / "bare.gguf"
    return models.write_random(path, adds_bos=False)


@pytest.mark.parametrize(
    ("model", "path", "further"),
    [
        (
            "local-completions",
            "/v1/completions",
            ",model=bare,tokenizer_backend=remote,num_concurrent=4,max_length=256",
        ),
        ("gguf", "", ""),
    ],
)
def test_scores_over_http_are_those_in_process(
    model: str, path: str, further: str, bare_path: Path, tmp_path: Path
) -> None:
    with running(Settings(model=str(bare_path), parallel=4, ctx_size=512, threads=1)) as server:
        over_http = scores(tmp_path, model, f"base_url={server.url}{path}{further}")
    asked = [Asked((context, f" {ending}")) for context in CONTEXTS for ending in ENDINGS]
    with LLM(bare_path, EngineOptions(n_parallel=4, n_ctx=512, n_threads=1)) as llm:
        in_process = [logprob for logprob, _ in Scorer(llm).loglikelihood(asked)]
    assert [one for row in over_http for one in row] == pytest.approx(in_process, abs=1e-2)
