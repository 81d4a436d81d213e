"""What there is to measure, by the names that dashboards know.

Names are vLLM's under our own prefix. What a gateway schedules by comes under vLLM's too, so that
one made for vLLM routes to us; some under llama-server's.
"""

from __future__ import annotations

from typing import Any

from jan_server.api.metrics.text_format import Page
from jan_server.inference.pool import Pool
from jan_server.inference.served_model import ServedModel
from jan_server.telemetry.histogram import Histogram
from jan_server.telemetry.meter import Meter

__all__ = ["exposition"]

_COUNTERS = {  # name -> (key of the engine's statistics, help)
    "requests_total": ("n_submitted", "Sequences that were taken in."),
    "request_cancelled_total": ("n_cancelled", "Sequences whose caller left."),
    "request_failed_total": ("n_failed", "Sequences that failed."),
    "prompt_tokens_computed_total": ("n_prompt_tokens", "Prompt tokens read, without the cached."),
    "prefix_cache_hits_total": ("n_cached_tokens", "Prompt tokens found in the cache."),
    "decode_rows_total": ("n_decode_rows", "Rows computed for tokens after the first."),
    "num_preemptions_total": ("n_parked", "Times a sequence gave its cache away."),
    "context_shifts_total": ("n_shifted", "Times a sequence forgot its middle."),
    "spec_decode_num_draft_tokens_total": ("n_drafted", "Tokens guessed ahead."),
    "spec_decode_num_accepted_tokens_total": ("n_accepted", "Guesses that were right."),
    "steps_total": ("n_steps", "Steps of the engine."),
    "forward_passes_total": ("n_passes", "Passes through the model."),
    "failed_passes_total": ("n_failed_passes", "Passes that failed."),
    "forward_seconds_total": ("forward_s", "Time inside passes."),
    "busy_seconds_total": ("busy_s", "Time inside steps."),
}
_ENGINE_HISTOGRAMS = {
    "request_queue_time_seconds": ("queue_s", "From submission to a place in the cache."),
    "request_prefill_time_seconds": ("prefill_s", "From there to the first token."),
    "time_to_first_token_seconds": ("first_token_s", "From submission to the first token."),
    "inter_token_latency_seconds": ("token_gap_s", "From one token to the next."),
    "step_time_seconds": ("step_s", "One step of the engine."),
    "iteration_tokens": ("rows_per_step", "Rows of a step."),
    "iteration_prompt_tokens": ("prefill_rows_per_step", "Rows of prompts in a step."),
}
_LLAMA_SERVERS = {  # as llama-server names them, for dashboards made for it
    "prompt_tokens_total": ("n_prompt_tokens", "Prompt tokens read, without the cached."),
    "n_decode_total": ("n_passes", "Passes through the model."),
    "spec_decode_num_draft_tokens_total": ("n_drafted", "Tokens guessed ahead."),
    "spec_decode_num_accepted_tokens_total": ("n_accepted", "Guesses that were right."),
}
_PREFIXES = ("jan", "vllm")


def exposition(pool: Pool, meter: Meter) -> str:
    """Of every engine in memory, by its model's name, and of the server."""
    only = pool.only
    page = Page()
    engines = [only.served] if only is not None else [one.served for one in pool.residents()]
    for served in engines:
        if only is not None or served.stats() is not None:
            _tell_engine(page.about(model_name=served.id), served)
    page.about(model_name=only.id if only is not None else "")
    _tell_tokens_of_requests(page, meter)
    _tell_requests(page, meter)
    if only is None:
        page.gauge("jan:models_loaded", len(engines), "Models in memory, or on their way.")
    return page.text()


def _tell_engine(page: Page, served: ServedModel) -> None:
    engine = served.engine
    stats = engine.stats()
    _tell_load(page, stats, engine.core.n_cells, served.admission.n_tokens)
    _tell_tokens(page, stats)
    for name, (key, meaning) in _COUNTERS.items():
        page.counter(f"jan:{name}", stats[key], meaning)
    for name, (key, meaning) in _LLAMA_SERVERS.items():
        page.counter(f"llamacpp:{name}", stats[key], meaning)
    page.gauge("llamacpp:requests_processing", stats["n_running"], "Sequences in the cache.")
    page.gauge("llamacpp:requests_deferred", stats["n_waiting"], "Sequences that wait for it.")
    for name, (key, meaning) in _ENGINE_HISTOGRAMS.items():
        told = stats[key]
        page.histogram(f"jan:{name}", told["limits"], told["counts"], told["sum"], meaning)


def _tell_load(page: Page, stats: dict[str, Any], n_cells: int, n_queued: int) -> None:
    used = stats["n_cells_running"] / n_cells if n_cells else 0.0
    for prefix in _PREFIXES:
        page.gauge(f"{prefix}:num_requests_running", stats["n_running"], "Sequences in the cache.")
        page.gauge(
            f"{prefix}:num_requests_waiting", stats["n_waiting"], "Sequences that wait for it."
        )
        page.gauge(
            f"{prefix}:kv_cache_usage_perc",
            used,
            "Share of the cache that running sequences hold, from 0 to 1.",
        )
        # Prefixes are shared token by token here, so a block is one cell.
        page.gauge(
            f"{prefix}:cache_config_info",
            1,
            "How the cache is divided.",
            block_size="1",
            num_gpu_blocks=str(n_cells),
        )
    page.gauge("jan:queued_prompt_tokens", n_queued, "Prompt tokens not read yet.")
    for kind in ("decode", "prefill"):
        page.gauge(
            "jan:workers",
            stats[f"n_{kind}_workers"],
            "Threads that computed the last pass; fewer while neighbours hold cores.",
            passes=kind,
        )
    page.gauge(
        "jan:engine_heartbeat_age_seconds",
        stats["heartbeat_age_s"],
        "Since the engine's thread last came by.",
    )


def _tell_tokens(page: Page, stats: dict[str, Any]) -> None:
    prompt_tokens = stats["n_prompt_tokens"] + stats["n_cached_tokens"]
    page.counter("jan:prompt_tokens_total", prompt_tokens, "Tokens of prompts.")
    page.counter(
        "jan:prefix_cache_queries_total", prompt_tokens, "Prompt tokens looked up in the cache."
    )


def _tell_tokens_of_requests(page: Page, meter: Meter) -> None:
    for name in ("jan:generation_tokens_total", "llamacpp:tokens_predicted_total"):
        page.counter(name, meter.generation_tokens.sum, "Tokens of ended sequences.")


def _tell_requests(page: Page, meter: Meter) -> None:
    page.counters(
        "jan:request_success_total",
        [({"finished_reason": reason}, n) for reason, n in sorted(meter.by_reason.items())],
        "Sequences that ended, by why.",
    )
    page.counter(
        "jan:requests_rejected_total", meter.n_rejected, "HTTP requests that were turned away."
    )
    page.counters(
        "jan:http_requests_total",
        [
            ({"method": method, "route": route, "status": str(status)}, n)
            for (method, route, status), n in sorted(meter.by_status.items())
        ],
        "HTTP requests, by what came of them; status 0 where the caller left before.",
    )
    for name, kept, meaning in (
        ("e2e_request_latency_seconds", meter.latency, "From a request's head to its last byte."),
        ("request_prompt_tokens", meter.prompt_tokens, "Prompt tokens of a sequence."),
        ("request_generation_tokens", meter.generation_tokens, "Tokens of a sequence."),
        ("request_params_max_tokens", meter.max_tokens, "Tokens asked for at most."),
        ("request_params_n", meter.n, "Sequences of a request."),
    ):
        _tell_histogram(page, f"jan:{name}", kept, meaning)


def _tell_histogram(page: Page, name: str, kept: Histogram, meaning: str) -> None:
    page.histogram(name, kept.limits, kept.counts, kept.sum, meaning)
