"""Results of several streams in the columns of llama-batched-bench."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from jan_bench.circumstances import Circumstances
from jan_bench.engine.formats import Output
from jan_bench.engine.grid import EngineGrid, EngineTest
from jan_bench.engine.json_rows import JsonLines, JsonRows
from jan_bench.engine.row import commit
from jan_bench.engine.runs import EngineResult, resolved, spread

__all__ = ["BATCHED_FORMATS", "batched_row"]

_COLUMNS = (
    ("PP", 6),
    ("TG", 6),
    ("B", 4),
    ("N_KV", 6),
    ("T_PP s", 8),
    ("S_PP t/s", 8),
    ("T_TG s", 8),
    ("S_TG t/s", 8),
    ("T s", 8),
    ("S t/s", 8),
)


def batched_row(result: EngineResult, under: Circumstances) -> dict[str, Any]:
    """llama-batched-bench's fields with the means of all repeats, then what it has not."""
    test = result.test
    times_pp = [sample.prompt_ns / 1e9 for sample in result.samples]
    times_tg = [sample.decode_ns / 1e9 for sample in result.samples]
    t_pp, t_tg = spread(times_pp)[0], spread(times_tg)[0]
    n_pp, n_tg = test.n_streams * test.n_prompt, test.n_streams * test.n_gen
    totals = [(n_pp + n_tg) / (pp + tg) for pp, tg in zip(times_pp, times_tg, strict=True)]
    n_kv = test.n_streams * (test.n_depth + test.n_prompt + test.n_gen)
    return {
        "n_kv_max": n_kv,
        "n_batch": test.n_batch,
        "n_ubatch": test.n_ubatch,
        "flash_attn": test.flash_attn,
        "is_pp_shared": 0,
        "n_gpu_layers": test.n_gpu_layers,
        "n_threads": test.n_threads,
        "n_threads_batch": test.n_threads,
        "pp": test.n_prompt,
        "tg": test.n_gen,
        "pl": test.n_streams,
        "n_kv": n_kv,
        "t_pp": t_pp,
        "speed_pp": _speed(n_pp, t_pp),
        "t_tg": t_tg,
        "speed_tg": _speed(n_tg, t_tg),
        "t": t_pp + t_tg,
        "speed": _speed(n_pp + n_tg, t_pp + t_tg),
        "stddev_speed": spread(totals)[1],
        "n_depth": test.n_depth,
        "type_k": test.type_k,
        "type_v": test.type_v,
        "kernels": "jan" if test.jan_kernels else "upstream",
        "build_commit": commit(under.build, jan_kernels=test.jan_kernels),
        "build_number": under.build.llama_cpp_build,
        "model_filename": test.model,
        "model_type": result.model_type,
        "test_time": result.at,
        "samples_pp_ns": [sample.prompt_ns for sample in result.samples],
        "samples_tg_ns": [sample.decode_ns for sample in result.samples],
    }


def _speed(n_tokens: int, seconds: float) -> float:
    """Nothing was done in no time where there was nothing to do."""
    return n_tokens / seconds if n_tokens else 0.0


def _told(under: Circumstances, result: EngineResult) -> dict[str, Any]:
    circumstances = msgspec.to_builtins(resolved(under, [result]))
    return {**batched_row(result, under), "circumstances": circumstances}


class _Of:
    def __init__(self, under: Circumstances, _: EngineGrid) -> None:
        self.under = under
        self.n_rows = 0

    def head(self) -> str:
        return ""

    def foot(self) -> str:
        return ""

    def fields(self, result: EngineResult) -> dict[str, Any]:
        self.n_rows += 1
        return batched_row(result, self.under)


class _Markdown(_Of):
    """A table for each model and its settings, which these columns do not have."""

    def __init__(self, under: Circumstances, grid: EngineGrid) -> None:
        super().__init__(under, grid)
        self.shown = ""

    def row(self, result: EngineResult) -> str:
        row = self.fields(result)
        told = _settings(result)
        before = "" if told == self.shown else ("\n" if self.shown else "") + f"{told}\n\n{_HEAD}"
        self.shown = told
        counts = [f"{row[name]:>{n}}" for name, n in (("pp", 6), ("tg", 6), ("pl", 4), ("n_kv", 6))]
        times = (
            f"{row[name]:>8.{digits}f}"
            for name, digits in (
                ("t_pp", 3),
                ("speed_pp", 2),
                ("t_tg", 3),
                ("speed_tg", 2),
                ("t", 3),
                ("speed", 2),
            )
        )
        return before + "|" + " | ".join([*counts, *times]) + " |\n"

    def foot(self) -> str:
        build = f"jan-engine {self.under.build.version} ({self.under.build.llama_cpp_build})"
        return f"\nmeans of {self.under.repeats} repeats or more; build: {build}\n"


_RULES = "-|-".join("-" * width for _, width in _COLUMNS)
_HEAD = f"|{' | '.join(f'{name:>{width}}' for name, width in _COLUMNS)} |\n|{_RULES}-|\n"


def _settings(result: EngineResult) -> str:
    test: EngineTest = result.test
    flash = {-1: "auto", 0: "off", 1: "on"}[test.flash_attn]
    kernels = "" if test.jan_kernels else ", upstream's kernels"
    depth = f", depth {test.n_depth}" if test.n_depth else ""
    return (
        f"{result.model_type}: {test.n_threads} threads, n_batch {test.n_batch}, "
        f"n_ubatch {test.n_ubatch}, cache {test.type_k}/{test.type_v}, flash attention {flash}"
        f"{depth}{kernels}"
    )


class _Csv(_Of):
    def row(self, result: EngineResult) -> str:
        is_first = self.n_rows == 0
        row = {k: v for k, v in self.fields(result).items() if not k.startswith("samples_")}
        text = io.StringIO()
        writer = csv.DictWriter(text, list(row), lineterminator="\n")
        if is_first:
            writer.writeheader()
        writer.writerow(row)
        return text.getvalue()


BATCHED_FORMATS: dict[str, Callable[[Circumstances, EngineGrid], Output]] = {
    "md": _Markdown,
    "json": lambda under, _: JsonRows(partial(_told, under)),
    "jsonl": lambda under, _: JsonLines(partial(_told, under)),
    "csv": _Csv,
}
