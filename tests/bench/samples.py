"""Results as files have them, made up: what pictures are drawn of."""

from __future__ import annotations

import random
from typing import Any

__all__ = ["engine_rows", "quality_report", "serve_row"]


def serve_row(n_at_once: int, *, n: int = 64, label: str = "openai") -> dict[str, Any]:
    """A server that shares its speed, in a closed loop."""
    rng = random.Random(n_at_once)
    each_s = 0.012 * (1 + n_at_once / 8)
    ttfts = [0.05 * n_at_once**0.9 * rng.lognormvariate(0, 0.25) for _ in range(n)]
    itls = [[each_s * rng.lognormvariate(0, 0.15) for _ in range(31)] for _ in range(n)]
    latencies = [ttft + sum(gaps) for ttft, gaps in zip(ttfts, itls, strict=True)]
    free_s = [0.0] * n_at_once
    starts: list[float] = []
    for latency in latencies:
        at = min(free_s)
        starts.append(at)
        free_s[free_s.index(at)] = at + latency
    duration = max(free_s)
    row: dict[str, Any] = {
        "label": label,
        "model_id": "qwen2-0.5b.Q4_K_M",
        "max_concurrency": n_at_once,
        "request_rate": "inf",
        "num_prompts": n,
        "duration": duration,
        "completed": n,
        "failed": 0,
        "request_throughput": n / duration,
        "request_goodput": None,
        "output_throughput": 32 * n / duration,
        "max_concurrent_requests": n_at_once,
        "output_lens": [32] * n,
        "input_lens": [128] * n,
        "ttfts": ttfts,
        "itls": itls,
        "latencies": latencies,
        "start_times": starts,
        "jan_bench": {
            "warnings": ["this client used 80% of a core"] if n_at_once > 8 else [],
            "circumstances": _circumstances("serve"),
        },
    }
    tpots = [sum(gaps) / 31 for gaps in itls]
    everything = [gap for gaps in itls for gap in gaps]
    for name, values in (
        ("ttft", ttfts),
        ("tpot", tpots),
        ("itl", everything),
        ("e2el", latencies),
    ):
        ms = sorted(1000 * value for value in values)
        row |= {f"median_{name}_ms": ms[len(ms) // 2], f"p99_{name}_ms": ms[int(len(ms) * 0.99)]}
    return row


def engine_rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, speed in (("Q4_K_M", 1.0), ("Q8_0", 0.7)):
        model = f"/models/qwen2-0.5b.{name}.gguf"
        tests = [(n, 0, 0, 240 - n / 40) for n in (128, 512, 1024, 2048)]
        tests += [(0, 64, depth, 34 / (1 + depth / 9000)) for depth in (0, 1024, 4096)]
        for n_prompt, n_gen, depth, base in tests:
            mean = base * speed
            rows.append(
                {
                    "model_filename": model,
                    "n_prompt": n_prompt,
                    "n_gen": n_gen,
                    "n_depth": depth,
                    "avg_ts": mean,
                    "stddev_ts": mean / 40,
                    "samples_ts": [mean * f for f in (0.98, 1.0, 1.02)],
                    "circumstances": _circumstances("engine"),
                }
            )
    return rows


def quality_report() -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for name, size, kl in (("Q2_K", 322, 0.4), ("Q4_K_M", 379, 0.031), ("Q8_0", 506, 0.0014)):
        divergence = {
            "kl": {"mean": {"value": kl, "error": kl / 15}, "percentiles": {"99": kl * 9}},
            "same_best": {"value": 1 - kl**0.5 / 3, "error": 0.003},
        }
        rows.append(_quality_row(name, size, divergence))
    return {"rows": [_quality_row("F16", 948, None), *rows], "n_windows": 40}


def _quality_row(name: str, mib: int, divergence: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "model": {
            "path": f"/models/qwen2-0.5b.{name}.gguf",
            "n_bytes": mib * 1024**2,
            "quantization": name,
            "bits_per_weight": mib / 59.2,
        },
        "is_reference": divergence is None,
        "figures": {"ppl": {"value": 11.2, "error": 0.21}, "divergence": divergence},
    }


def _circumstances(command: str) -> dict[str, Any]:
    return {
        "at": "2026-11-20T10:20:30Z",
        "command": command,
        "machine": {
            "processor": "A processor <of 2 cores>",
            "cores": 2,
            "cores_allowed": 2,
            "governor": "performance",
            "memory_bytes": 24 * 1024**3,
            "gpu_driver": "",
            "platform": "Linux-6.1",
            "load": 0.2,
        },
        "build": {
            "version": "0.1.0",
            "llama_cpp_build": 11549,
            "compiler": "GCC 12",
            "cpu_variant": "icelake",
            "instructions": ["AVX512"],
            "devices": [],
        },
        "models": [],
        "flags": {"ignore_eos": True, "server": ["--parallel", "8"]},
        "repeats": 1,
        "warm_up": "2 requests before each point",
        "seed": 0,
        "cache_policy": "prompts share nothing",
        "client": "jan-bench/0.1.0",
        "clock": "clock_gettime(CLOCK_MONOTONIC)",
    }
