"""The kernels of matrix products against the nearer of two limits: arithmetic, and memory."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from jan_bench.circumstances import Circumstances
from jan_bench.engine.json_rows import JsonLines, JsonRows
from jan_engine.products import MachineLimits, ProductTimes, product_times

__all__ = [
    "ROOFLINE_FORMATS",
    "RooflineGrid",
    "RooflineResult",
    "RooflineTest",
    "roofline_row",
    "tests_of",
    "time_products",
]

_NOT_BYTES = ("f16", "bf16")  # that are not multiplied as bytes: memory is the limit that is known
TYPES = (
    *("q4_K", "q5_K", "q6_K", "q8_0", "q4_0", "q4_1"),
    *("q5_0", "q5_1", "iq4_nl", "iq4_xs", *_NOT_BYTES),
)
COLUMNS = (1, 2, 4, 8, 9, 12, 16, 32, 64, 256)
_MANY = 64  # columns: with more of them, an eighth of the rows is as good


class RooflineGrid(msgspec.Struct, frozen=True, kw_only=True):
    types: Sequence[str] = TYPES
    n_columns: Sequence[int] = COLUMNS
    width: int = 2048
    n_rows: int = 49152  # that come from memory, not from a cache
    n_threads: Sequence[int] = (0,)


class RooflineTest(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    n_columns: int
    width: int
    n_rows: int
    n_threads: int


class RooflineResult(msgspec.Struct, frozen=True, kw_only=True):
    test: RooflineTest
    times: ProductTimes
    limits: MachineLimits


def tests_of(type_name: str, grid: RooflineGrid, n_threads: int) -> list[RooflineTest]:
    fewer_rows = min(grid.n_rows, max(512, grid.n_rows // 8))
    return [
        RooflineTest(
            type=type_name,
            n_columns=n_columns,
            width=grid.width,
            n_rows=grid.n_rows if n_columns < _MANY else fewer_rows,
            n_threads=n_threads,
        )
        for n_columns in grid.n_columns
    ]


def time_products(
    tests: Iterable[RooflineTest], limits: MachineLimits, *, repeats: int
) -> Iterator[RooflineResult]:
    for test in tests:
        times = product_times(
            test.type,
            width=test.width,
            n_rows=test.n_rows,
            n_columns=test.n_columns,
            n_threads=test.n_threads,
            n_repeats=repeats,
        )
        yield RooflineResult(test=test, times=times, limits=limits)


def roofline_row(result: RooflineResult) -> dict[str, Any]:
    """Medians. What the machine allows is the less of its arithmetic and of what it could multiply
    while it reads the weights, as our layout has them, once.
    """
    test, times, limits = result.test, result.times, result.limits
    operations = 2 * test.width * test.n_rows * test.n_columns
    ours = statistics.median(times.ours_ns) if times.ours_ns else 0
    upstreams = statistics.median(times.upstreams_ns)
    n_bytes = times.our_bytes or times.upstreams_bytes
    by_memory = limits.read_gbs * operations / n_bytes
    byte_gops = 0.0 if test.type in _NOT_BYTES else limits.byte_gops
    allowed = min(byte_gops, by_memory) if byte_gops else by_memory
    gops = operations / ours if ours else 0.0
    upstreams_gops = operations / upstreams
    return {
        **msgspec.to_builtins(test),
        "gops": gops,
        "read_gbs": times.our_bytes / ours if ours else 0.0,
        "upstream_gops": upstreams_gops,
        "upstream_read_gbs": times.upstreams_bytes / upstreams,
        "upstream_buffer": times.upstreams_buffer,
        "times_upstream": gops / upstreams_gops,
        "limit_gops": allowed,
        "limited_by": "memory" if allowed == by_memory else "arithmetic",
        "share_of_limit": gops / allowed,
        "upstream_share_of_limit": upstreams_gops / allowed,
        "limit_byte_gops": byte_gops,
        "limit_read_gbs": limits.read_gbs,
        "limit_instruction": limits.instruction,
        "weight_bytes": times.our_bytes,
        "upstream_weight_bytes": times.upstreams_bytes,
        "samples_ns": times.ours_ns,
        "upstream_samples_ns": times.upstreams_ns,
    }


def _told(under: Circumstances, result: RooflineResult) -> dict[str, Any]:
    return {**roofline_row(result), "circumstances": msgspec.to_builtins(under)}


class _Markdown:
    """A table for each type, under the limits that it was measured against."""

    def __init__(self, under: Circumstances) -> None:
        self.under = under
        self.limits: MachineLimits | None = None

    def head(self) -> str:
        return ""

    def row(self, result: RooflineResult) -> str:
        row, limits = roofline_row(result), result.limits
        before = ""
        if limits is not self.limits:
            self.limits = limits
            arithmetic = (
                f"multiplies {limits.byte_gops:.0f} GOPS of bytes ({limits.instruction}) and "
                if limits.byte_gops
                else ""
            )
            threads = (
                "1 thread" if result.test.n_threads == 1 else f"{result.test.n_threads} threads"
            )
            before = f"\n{threads}: {arithmetic}reads {limits.read_gbs:.1f} GB/s\n\n{_HEAD}"
        cells = (
            f"{row['type']:<7}",
            f"{row['n_columns']:>7}",
            f"{row['gops']:>7.0f}",
            f"{row['read_gbs']:>6.1f}",
            f"{row['share_of_limit']:>6.0%} of {row['limited_by']:<10}",
            f"{row['upstream_gops']:>10.0f}",
            f"{row['upstream_share_of_limit']:>8.0%}",
            f"{row['times_upstream']:>6.2f}",
            f"{row['upstream_buffer']:<10}",
        )
        return before + "| " + " | ".join(cells) + " |\n"

    def foot(self) -> str:
        build = f"jan-engine {self.under.build.version} ({self.under.build.llama_cpp_build})"
        variant = self.under.build.cpu_variant
        return f"\nmedians of {self.under.repeats} turns or more; build: {build}, {variant}\n"


_COLUMNS = (
    *(("type", -7), ("columns", 7), ("GOPS", 7), ("GB/s", 6), ("of the limit", -20)),
    *(("upstream's", 10), ("of limit", 8), ("times", 6), ("its buffer", -10)),
)
_HEAD = "".join(
    "| " + " | ".join(cells) + " |\n"
    for cells in (
        [name.ljust(-w) if w < 0 else name.rjust(w) for name, w in _COLUMNS],
        ["-" * (abs(w) - 1) + (":" if w > 0 else "-") for _, w in _COLUMNS],
    )
)


RooflineOutput = _Markdown | JsonRows[RooflineResult] | JsonLines[RooflineResult]
ROOFLINE_FORMATS: dict[str, Callable[[Circumstances], RooflineOutput]] = {
    "md": _Markdown,
    "json": lambda under: JsonRows(partial(_told, under)),
    "jsonl": lambda under: JsonLines(partial(_told, under)),
}
