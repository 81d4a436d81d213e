"""Times a model with several settings, for as long as the next ones may be better."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from jan_bench.model_file import read_model_file
from jan_bench.tune.proposal import Memory, Pace, Proposal, best_threads, propose, wider_pays
from jan_engine import Model, devices
from jan_engine.backend import Device, DeviceKind
from jan_engine.errors import OutOfMemory
from jan_engine.gauge import Gauge
from jan_engine.gguf import check_model
from jan_engine.memory_needs import cache_bytes_per_token
from jan_engine.placement import ALL_LAYERS, place

__all__ = ["Tuned", "Watch", "free_bytes", "tune"]

_N_PROMPT = 128
_N_GEN = 24
_REPEATS = 3
_MOST_STREAMS = 64
_CACHE_TYPES = ("f16", "q8_0")

Watch = Callable[[Pace], object]  # is shown each pace as it was measured


class Tuned(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    bits_per_weight: float
    threads: list[Pace]
    streams: list[Pace]
    memory: Memory
    proposal: Proposal

    @property
    def fits(self) -> bool:
        return self.proposal.ctx_size > 0


def tune(path: Path, *, least_rate: float, watch: Watch = lambda _: None) -> Tuned:
    """Raises what loading and running the model raises."""
    found = devices()
    n_gpu_layers = place(found, check_model(path), 0)
    free = free_bytes(found, n_gpu_layers)  # before anything of it is in memory
    facts = read_model_file(path, hashed=False)
    model = Model(path, n_gpu_layers=n_gpu_layers)
    by_threads = [_watched(watch, _pace(model, n, 1)) for n in _thread_counts()]
    n_threads = best_threads(by_threads)
    (alone,) = (pace for pace in by_threads if pace.n_threads == n_threads)
    by_streams = [alone, *_widening(model, alone, least_rate, watch)]
    memory = Memory(
        free=free,
        weights=model.facts.n_bytes,
        cell={name: cache_bytes_per_token(model.headers, name) for name in _CACHE_TYPES},
    )
    return Tuned(
        model=str(path),
        bits_per_weight=facts.bits_per_weight,
        threads=by_threads,
        streams=by_streams,
        memory=memory,
        proposal=propose(
            by_streams, memory, n_ctx_train=model.facts.n_ctx_train, least_rate=least_rate
        ),
    )


def _widening(model: Model, alone: Pace, least_rate: float, watch: Watch) -> Iterator[Pace]:
    """Two, four... streams: while more pay, and the first number that does not."""
    best = alone
    n, misses = 2, 0
    while n <= _MOST_STREAMS and misses < 2:  # one step may be noise
        try:
            pace = _watched(watch, _pace(model, alone.n_threads, n))
        except OutOfMemory:
            return
        yield pace
        if wider_pays(best, pace, least_rate):
            best, misses = pace, 0
        else:
            misses += 1
        n *= 2


def _pace(model: Model, n_threads: int, n_streams: int) -> Pace:
    gauge = Gauge(
        model,
        n_ctx=_N_PROMPT + _N_GEN,
        n_streams=n_streams,
        n_batch=512,
        n_wanted=n_streams,
        n_threads=n_threads,
    )
    gauge.time(8, 1)  # the first pass reads the weights for the first time
    times = [gauge.time(_N_PROMPT, _N_GEN) for _ in range(_REPEATS)]
    prompt_s = statistics.median(one.prompt_ns for one in times) / 1e9
    decode_s = statistics.median(one.decode_ns for one in times) / 1e9
    return Pace(
        n_threads=n_threads,
        n_streams=n_streams,
        prompt=n_streams * _N_PROMPT / prompt_s,
        decode=n_streams * _N_GEN / decode_s,
    )


def _thread_counts() -> list[int]:
    """Every core that this process may use, and fractions: where two share a core's units, or
    some are slow ones, fewer are faster.
    """
    most = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return sorted({most, *(max(1, most * part // 4) for part in (1, 2, 3))})


def free_bytes(found: Sequence[Device], n_gpu_layers: int) -> int:
    """Of the devices that so many layers lie on."""
    gpus = [one for one in found if one.kind is DeviceKind.GPU] if n_gpu_layers else []
    on = [] if gpus and n_gpu_layers == ALL_LAYERS else [DeviceKind.CPU]
    return sum(one.memory_free for one in found if one in gpus or one.kind in on)


def _watched(watch: Watch, pace: Pace) -> Pace:
    watch(pace)
    return pace
