"""The engine's statistics in the text format of Prometheus.

Names are vLLM's under our own prefix; those a gateway schedules by come under vLLM's too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["exposition"]

_COUNTERS = {  # name -> (key of the statistics, help)
    "requests_total": ("n_submitted", "Requests that were taken in."),
    "request_success_total": ("n_finished", "Requests that came to their end."),
    "request_cancelled_total": ("n_cancelled", "Requests whose caller left."),
    "request_failed_total": ("n_failed", "Requests that failed."),
    "prompt_tokens_computed_total": ("n_prompt_tokens", "Prompt tokens read, without the cached."),
    "prefix_cache_hits_total": ("n_cached_tokens", "Prompt tokens found in the cache."),
    "decode_rows_total": ("n_decode_rows", "Rows computed for tokens after the first."),
    "num_preemptions_total": ("n_parked", "Times a request gave its cache away."),
    "context_shifts_total": ("n_shifted", "Times a request forgot its middle."),
    "steps_total": ("n_steps", "Steps of the engine."),
    "forward_passes_total": ("n_passes", "Passes through the model."),
    "failed_passes_total": ("n_failed_passes", "Passes that failed."),
    "forward_seconds_total": ("forward_s", "Time inside passes."),
    "busy_seconds_total": ("busy_s", "Time inside steps."),
}
_HISTOGRAMS = {
    "request_queue_time_seconds": ("queue_s", "From submission to a place in the cache."),
    "request_prefill_time_seconds": ("prefill_s", "From there to the first token."),
    "time_to_first_token_seconds": ("first_token_s", "From submission to the first token."),
    "inter_token_latency_seconds": ("token_gap_s", "From one token to the next."),
    "step_time_seconds": ("step_s", "One step of the engine."),
    "iteration_tokens": ("rows_per_step", "Rows of a step."),
    "iteration_prompt_tokens": ("prefill_rows_per_step", "Rows of prompts in a step."),
}
_FOR_GATEWAYS = ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc")


def exposition(stats: Mapping[str, Any], *, model: str, n_cells: int) -> str:
    label = f'{{model_name="{_escaped(model)}"}}'
    gauges = {
        "num_requests_running": (stats["n_running"], "Requests that have a place in the cache."),
        "num_requests_waiting": (stats["n_waiting"], "Requests that wait for one."),
        "kv_cache_usage_perc": (
            stats["n_cells_running"] / n_cells if n_cells else 0.0,
            "Share of the cache that running requests hold, from 0 to 1.",
        ),
        "engine_heartbeat_age_seconds": (
            stats["heartbeat_age_s"],
            "Since the engine's thread last came by.",
        ),
    }
    prompt_tokens = stats["n_prompt_tokens"] + stats["n_cached_tokens"]
    sums = {
        "prompt_tokens_total": (prompt_tokens, "Tokens of prompts."),
        "prefix_cache_queries_total": (prompt_tokens, "Prompt tokens looked up in the cache."),
    }
    lines: list[str] = []
    for name, (value, meaning) in sums.items():
        lines += _head(f"jan:{name}", "counter", meaning)
        lines.append(f"jan:{name}{label} {value}")
    for name, (value, meaning) in gauges.items():
        for prefix in ("jan", "vllm") if name in _FOR_GATEWAYS else ("jan",):
            lines += _head(f"{prefix}:{name}", "gauge", meaning)
            lines.append(f"{prefix}:{name}{label} {value}")
    for name, (key, meaning) in _COUNTERS.items():
        lines += _head(f"jan:{name}", "counter", meaning)
        lines.append(f"jan:{name}{label} {stats[key]}")
    for name, (key, meaning) in _HISTOGRAMS.items():
        lines += _head(f"jan:{name}", "histogram", meaning)
        lines += _histogram(f"jan:{name}", stats[key], _escaped(model))
    return "\n".join(lines) + "\n"


def _head(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]


def _histogram(name: str, told: Mapping[str, Any], model: str) -> Iterator[str]:
    """Prometheus counts everything up to a limit; the engine counts what lies between two."""
    limits: Sequence[float] = told["limits"]
    counts: Sequence[int] = told["counts"]
    total = 0
    for limit, count in zip([*limits, float("inf")], counts, strict=True):
        total += count
        le = "+Inf" if limit == float("inf") else f"{limit:g}"
        yield f'{name}_bucket{{model_name="{model}",le="{le}"}} {total}'
    yield f'{name}_sum{{model_name="{model}"}} {told["sum"]}'
    yield f'{name}_count{{model_name="{model}"}} {total}'


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
