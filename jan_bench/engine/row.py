"""A result in llama-bench's words: its fields, in its order, written as it writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jan_bench.circumstances import Build
from jan_bench.engine.runs import EngineResult, spread

__all__ = ["BOOLEANS", "TEXTS", "Row", "llama_bench_row"]

Row = dict[str, str]  # every value as llama-bench prints it

BOOLEANS = {"no_kv_offload", "cpu_strict", "embeddings", "no_host", "repack"}
TEXTS = {
    "build_commit",
    "cpu_info",
    "gpu_info",
    "backends",
    "model_filename",
    "model_type",
    "cpu_mask",
    "type_k",
    "type_v",
    "split_mode",
    "devices",
    "tensor_split",
    "tensor_buft_overrides",
    "load_mode",
    "lazy_mode",
    "test_time",
}


def llama_bench_row(result: EngineResult, build: Build) -> Row:
    """What of llama-bench's settings we have not is as it is there when nobody sets it."""
    test = result.test
    mean_ns, deviation_ns = _whole_spread(result.samples_ns)
    mean_ts, deviation_ts = spread(result.samples_ts)
    return {
        "build_commit": commit(build, jan_kernels=test.jan_kernels),
        "build_number": str(build.llama_cpp_build),
        "cpu_info": ", ".join(d.description for d in build.devices if d.kind in _PROCESSORS),
        "gpu_info": ", ".join(d.description for d in build.devices if d.kind not in _PROCESSORS),
        "backends": backends(build),
        "model_filename": test.model,
        "model_type": result.model_type,
        "model_size": str(result.model_size),
        "model_n_params": str(result.model_n_params),
        "n_batch": str(test.n_batch),
        "n_ubatch": str(test.n_ubatch),
        "n_threads": str(test.n_threads),
        "cpu_mask": "0x0",
        "cpu_strict": "0",
        "poll": str(test.poll),
        "type_k": test.type_k,
        "type_v": test.type_v,
        "n_gpu_layers": str(test.n_gpu_layers),
        "n_cpu_moe": "0",
        "split_mode": "layer",
        "main_gpu": "0",
        "no_kv_offload": "0",
        "flash_attn": str(test.flash_attn),
        "devices": "auto",
        "tensor_split": "0.00",
        "tensor_buft_overrides": "none",
        "load_mode": "mmap",
        "lazy_mode": "auto",
        "embeddings": "0",
        "no_op_offload": "0",
        "no_host": "0",
        "repack": "1",
        "fit_target": "0",
        "fit_min_ctx": "0",
        "n_prompt": str(test.n_prompt),
        "n_gen": str(test.n_gen),
        "n_depth": str(test.n_depth),
        "test_time": result.at,
        "avg_ns": str(mean_ns),
        "stddev_ns": str(deviation_ns),
        "avg_ts": f"{mean_ts:f}",
        "stddev_ts": f"{deviation_ts:f}",
    }


_PROCESSORS = ("cpu", "accelerator")


def _whole_spread(values: Sequence[int]) -> tuple[int, int]:
    """In whole numbers, as upstream has it: the deviation's last digits are rounding."""
    n = len(values)
    mean = sum(values) // n
    if n < 2:
        return mean, 0
    squares = sum(value * value for value in values)
    return mean, math.isqrt(squares // (n - 1) - mean * mean * n // (n - 1))


def backends(build: Build) -> str:
    """What computes besides the processor; "CPU" where nothing does."""
    names = dict.fromkeys(d.backend for d in build.devices if d.backend != "CPU")
    return ",".join(names) or "CPU"


def commit(build: Build, *, jan_kernels: bool) -> str:
    """In place of upstream's commit: two engines in one table must not look like one."""
    return f"jan-engine {build.version}" + ("" if jan_kernels else ", upstream's kernels")
