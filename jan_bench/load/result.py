"""One point as JSON: vLLM's keys with vLLM's meanings, and ours apart from them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from jan_bench.circumstances import Circumstances
from jan_bench.load.endpoint import Endpoint
from jan_bench.load.measure import Load, Measured
from jan_bench.load.metrics import Spread, percentile
from jan_bench.load.reply import Reply

__all__ = ["file_name", "result_of", "sampling_of", "warnings_of", "without_details"]

# As `vllm bench serve` leaves them out without --save-detailed; and our own of that kind.
_DETAILS = (
    "input_lens",
    "output_lens",
    "start_times",
    "ttfts",
    "itls",
    "generated_texts",
    "errors",
)
_OUR_DETAILS = ("answer_times", "outcomes", "cached_lens")

_SAMPLING = (  # of llama.cpp's generation_settings
    "temperature",
    "dynatemp_range",
    "top_k",
    "top_p",
    "min_p",
    "typical_p",
    "top_n_sigma",
    "xtc_probability",
    "repeat_penalty",
    "repeat_last_n",
    "presence_penalty",
    "frequency_penalty",
    "dry_multiplier",
    "mirostat",
    "samplers",
)
_MOST_CPU = 0.7  # of a core
_MOST_LATE_MS = 10.0


def result_of(
    measured: Measured,
    load: Load,
    endpoint: Endpoint,
    circumstances: Circumstances,
    *,
    label: str = "",
) -> dict[str, Any]:
    """With every detail. None of it is NaN or infinite, which JSON has no words for."""
    point, metrics, drive = measured.point, measured.metrics, measured.drive
    replies = drive.replies
    backend = "openai-chat" if endpoint.api == "chat" else "openai"
    rate = point.rate if point.rate is not None and not math.isinf(point.rate) else "inf"
    result: dict[str, Any] = {
        "date": measured.at.strftime("%Y%m%d-%H%M%S"),
        "endpoint_type": backend,
        "backend": backend,
        "label": label or backend,
        "model_id": endpoint.model,
        "tokenizer_id": None,
        "num_prompts": measured.n_prompts,
        "request_rate": rate,
        "burstiness": load.burstiness,
        "max_concurrency": point.concurrency,
        "duration": drive.duration_s,
        "completed": metrics.n_ok,
        "failed": metrics.n_failed,
        "total_input_tokens": metrics.n_input,
        "total_output_tokens": metrics.n_output,
        "request_throughput": metrics.requests_per_s,
        "request_goodput": metrics.good_per_s,
        "output_throughput": metrics.output_per_s,
        "total_token_throughput": metrics.total_per_s,
        "input_lens": [reply.n_input or 0 for reply in replies],
        "output_lens": [reply.n_tokens if reply.is_ok else 0 for reply in replies],
        "ttfts": [reply.ttft_s if reply.chunk_s else 0.0 for reply in replies],
        "itls": [reply.itl_s for reply in replies],
        "latencies": [reply.e2e_s if reply.is_ok else 0.0 for reply in replies],
        "start_times": [reply.scheduled_s for reply in replies],
        "queue_times": [reply.sent_s - reply.scheduled_s for reply in replies],
        "generated_texts": [reply.text for reply in replies],
        "errors": [reply.error for reply in replies],
        "max_output_tokens_per_s": metrics.peak_per_s,
        "max_concurrent_requests": metrics.peak_concurrent,
        "rtfx": 0.0,
    }
    for name in ("ttft", "tpot", "itl", "e2el"):
        result |= _spread(name, getattr(metrics, name))
    result["jan_bench"] = {
        "circumstances": msgspec.to_builtins(circumstances),
        "dataset": load.dataset.name,
        "lengths_by": measured.lengths_by,
        "repeat": measured.repeat,
        "interrupted": drive.was_interrupted,
        "incomplete": metrics.n_incomplete,
        "cancelled": metrics.n_cancelled,
        "errors_by_kind": metrics.errors,
        "shorter_than_asked": metrics.n_short,
        "tokens_counted_by": metrics.counted_by,
        "cached_input_tokens": metrics.n_cached,
        "goodput": dict(load.goodput),
        "sampling": sampling_of(endpoint, replies),
        **(_spread("ttat", metrics.ttat) if metrics.ttat else {}),
        "client": _client(measured),
        "warnings": warnings_of(measured, load),
        "answer_times": [
            None if reply.answer_s is None else reply.answer_s - reply.scheduled_s
            for reply in replies
        ],
        "outcomes": [reply.outcome for reply in replies],
        "cached_lens": [reply.n_cached for reply in replies],
    }
    return result


def sampling_of(endpoint: Endpoint, replies: Sequence[Reply]) -> dict[str, Any]:
    """What requests asked for, and what was in force where the server tells it."""
    told = next((reply.settings for reply in replies if reply.settings is not None), None)
    in_force = told and {name: told[name] for name in _SAMPLING if name in told}
    return {"asked": dict(endpoint.further), "in_force": in_force}


def without_details(result: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in result.items() if name not in _DETAILS}
    ours = {name: v for name, v in result["jan_bench"].items() if name not in _OUR_DETAILS}
    return {**kept, "jan_bench": ours}


def file_name(result: dict[str, Any]) -> str:
    """As vLLM calls it."""
    at_once = result["max_concurrency"]
    model = re.sub(r"[^\w.-]+", "_", str(result["model_id"]).rpartition("/")[2])
    between = f"-concurrency{at_once}" if at_once is not None else ""
    repeat = result["jan_bench"]["repeat"]
    again = f"-repeat{repeat}" if repeat > 1 else ""
    rate = f"{result['request_rate']}qps"
    return f"{result['label']}-{rate}{between}-{model}-{result['date']}{again}.json"


def warnings_of(measured: Measured, load: Load) -> list[str]:
    """Why the figures may not be the server's."""
    metrics, client = measured.metrics, _client(measured)
    found: list[str] = []
    if client["cpu_share"] > _MOST_CPU:
        found.append(
            f"this client used {client['cpu_share']:.0%} of a core: it may be what was measured"
        )
    if client["late_p99_ms"] > _MOST_LATE_MS:
        found.append(
            f"requests were sent up to {client['late_p99_ms']:.0f} ms late (p99); latencies count "
            "from when they should have been"
        )
    elif client["lag_p99_ms"] > _MOST_LATE_MS:
        found.append(
            f"this client was kept from its core for up to {client['lag_p99_ms']:.0f} ms (p99): it "
            "shares the machine with what it measures"
        )
    if metrics.counted_by == "frames":
        found.append("the server counts no tokens: each frame was taken for one")
    if metrics.n_short:
        found.append(
            f"{metrics.n_short} answers were shorter than asked: compare with --ignore-eos"
        )
    if measured.lengths_by == "estimate":
        found.append("lengths of the file's texts are estimates: the server does not count texts")
    # What all prompts begin with may well be in a cache: nobody asked for it to be another.
    most_cached = metrics.n_input / 50 + measured.n_fixed * metrics.n_ok
    if load.dataset.name == "random" and (metrics.n_cached or 0) > most_cached:
        share = (metrics.n_cached or 0) / metrics.n_input
        found.append(f"{share:.0%} of the prompts' tokens came from the server's cache")
    return found


def _client(measured: Measured) -> dict[str, float]:
    drive = measured.drive
    late, lag = sorted(drive.late_s) or [0.0], sorted(drive.lag_s) or [0.0]
    return {
        "cpu_share": drive.cpu_share,
        "late_p99_ms": percentile(late, 99) * 1000,
        "late_max_ms": late[-1] * 1000,
        "lag_p99_ms": percentile(lag, 99) * 1000,
        "resent": sum(reply.was_resent for reply in drive.replies),
    }


def _spread(name: str, spread: Spread) -> dict[str, float]:
    figures = {f"mean_{name}_ms": spread.mean, f"median_{name}_ms": spread.median}
    figures[f"std_{name}_ms"] = spread.std
    return figures | {f"p{p}_{name}_ms": value for p, value in spread.percentiles.items()}
