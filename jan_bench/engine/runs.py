"""Runs what `jan bench engine` times, in this process."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from jan_bench.circumstances import Circumstances
from jan_bench.engine.grid import EngineTest
from jan_engine import Model
from jan_engine.gauge import Gauge, PassTimes

__all__ = ["EngineResult", "Patience", "resolved", "run_tests", "spread"]


class Patience(NamedTuple):
    """How often a test is repeated. A machine's speed drifts within seconds: repeats that are all
    done in two of them agree with each other, and not with those of the next minute.
    """

    repeats: int = 5
    least_s: float = 10


class EngineResult(msgspec.Struct, frozen=True, kw_only=True):
    test: EngineTest  # with the threads that there were
    flash: bool  # whether attention was the flash kernel, which the test may have left open
    model_type: str  # as upstream describes it
    model_size: int  # bytes of all tensors
    model_n_params: int
    at: str  # RFC 3339
    samples: list[PassTimes]

    @property
    def samples_ns(self) -> list[int]:
        return [sample.prompt_ns + sample.decode_ns for sample in self.samples]

    @property
    def samples_ts(self) -> list[float]:
        """Tokens per second of one stream."""
        n_tokens = self.test.n_prompt + self.test.n_gen
        return [1e9 * n_tokens / ns for ns in self.samples_ns]


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation, 0 of one value."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, 0.0
    return mean, math.sqrt(math.fsum((x - mean) ** 2 for x in values) / (len(values) - 1))


def resolved(under: Circumstances, results: Sequence[EngineResult]) -> Circumstances:
    """With what was left open as it came out in these: threads, and the attention kernel."""
    threads = sorted({result.test.n_threads for result in results})
    flash = sorted({"on" if result.flash else "off" for result in results})
    flags = under.flags | {"n_threads": threads, "flash_attn_was": flash}
    return msgspec.structs.replace(under, flags=flags)


def run_tests(
    tests: Iterable[EngineTest],
    *,
    patience: Patience,
    warm_up: bool,
    seed: int,
    delay_s: float = 0,
) -> Iterator[EngineResult]:
    """A model stays loaded for as long as tests that follow want the same."""
    loaded: tuple[object, Model] | None = None
    for test in tests:
        wanted = (test.model, test.n_gpu_layers, test.jan_kernels)
        if loaded is None or loaded[0] != wanted:
            loaded = None  # its memory first
            model = Model(
                Path(test.model), n_gpu_layers=test.n_gpu_layers, matrix_kernels=test.jan_kernels
            )
            loaded = (wanted, model)
        time.sleep(delay_s)
        yield _timed(test, loaded[1], patience, warm_up=warm_up, seed=seed)


def _timed(
    test: EngineTest, model: Model, patience: Patience, *, warm_up: bool, seed: int
) -> EngineResult:
    gauge = Gauge(
        model,
        n_ctx=test.n_depth + test.n_prompt + test.n_gen,
        n_streams=max(test.n_streams, 1),
        n_batch=test.n_batch,
        n_ubatch=test.n_ubatch,
        n_threads=test.n_threads,
        poll=test.poll,
        seed=seed,
        cache_type_k=test.type_k,
        cache_type_v=test.type_v,
        flash_attention=None if test.flash_attn < 0 else bool(test.flash_attn),
    )
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if warm_up:
        gauge.time(test.n_prompt, min(test.n_gen, 1))
    samples: list[PassTimes] = []
    enough = time.monotonic() + patience.least_s
    while len(samples) < patience.repeats or time.monotonic() < enough:
        samples.append(gauge.time(test.n_prompt, test.n_gen, n_depth=test.n_depth))
    return EngineResult(
        test=msgspec.structs.replace(test, n_threads=gauge.n_threads),
        flash=gauge.flash,
        model_type=model.facts.description,
        model_size=model.facts.n_bytes,
        model_n_params=model.facts.n_params,
        at=at,
        samples=samples,
    )
