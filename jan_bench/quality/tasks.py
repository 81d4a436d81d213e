"""Tasks of lm-evaluation-harness, asked of the engine in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from jan_bench.quality.sides import Settings
from jan_engine import EngineOptions, Model
from jan_engine.errors import InvalidRequest
from jan_engine.lm_eval import harness_model

__all__ = ["TaskScore", "require_harness", "run_tasks"]

_MOST_CTX = 4096  # tokens of a question; a model may be trained for more than memory has room for


class TaskScore(msgspec.Struct, frozen=True, kw_only=True):
    task: str
    metric: str  # "acc", "acc_norm,flexible": as the harness calls it, without "none"
    value: float
    error: float | None = None  # standard error, where the harness has one
    n_samples: int = 0


def require_harness() -> None:
    """Raises InvalidRequest where it is not installed."""
    try:
        import_module("lm_eval")
    except ImportError as error:
        raise InvalidRequest(
            "tasks: lm-evaluation-harness is not here", "pip install 'jan-engine[lm-eval]'"
        ) from error


def run_tasks(
    path: Path,
    tasks: Sequence[str],
    settings: Settings,
    *,
    limit: int | None = None,
    folder: Path | None = None,
) -> list[TaskScore]:
    """`limit` questions of each; `folder` holds tasks of one's own.

    Raises InvalidRequest for a task that nobody knows.
    """
    harness: Any = import_module("lm_eval")
    known: Any = import_module("lm_eval.tasks").TaskManager(
        include_path=None if folder is None else str(folder)
    )
    missing = [name for name in tasks if not known.match_tasks([name])]
    if missing:
        raise InvalidRequest(f"tasks: nobody knows {', '.join(missing)}")
    model = Model(path, n_gpu_layers=settings.n_gpu_layers, matrix_kernels=settings.jan_kernels)
    n_ctx = min(model.facts.n_ctx_train or _MOST_CTX, _MOST_CTX)
    asked = harness_model(model, EngineOptions(n_ctx=n_ctx, n_threads=settings.n_threads))
    try:
        found: Any = harness.simple_evaluate(
            asked, tasks=list(tasks), limit=limit, task_manager=known, log_samples=False
        )
    finally:
        asked.llm.close()
    counts: Mapping[str, Any] = found.get("n-samples", {})
    return [
        score
        for task, metrics in found["results"].items()
        for score in _scores(task, metrics, counts.get(task, {}).get("effective", 0))
    ]


def _scores(task: str, metrics: Mapping[str, Any], n_samples: int) -> list[TaskScore]:
    """Of `{"acc,none": 0.5, "acc_stderr,none": 0.1}` and what else stands there."""
    scores: list[TaskScore] = []
    for name, value in metrics.items():
        metric, comma, variant = name.partition(",")
        if not comma or metric.endswith("_stderr") or not isinstance(value, int | float):
            continue
        error = metrics.get(f"{metric}_stderr,{variant}")
        scores.append(
            TaskScore(
                task=task,
                metric=metric if variant == "none" else name,
                value=float(value),
                error=float(error) if isinstance(error, int | float) else None,
                n_samples=n_samples,
            )
        )
    return scores
