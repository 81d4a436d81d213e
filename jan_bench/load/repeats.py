"""What a load came to each time it was repeated, and how far apart that was."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

__all__ = ["add_spread", "by_load", "spread_of_repeats"]

_FIGURES = (
    "request_throughput",
    "output_throughput",
    "total_token_throughput",
    *(
        f"{kind}_{name}_ms"
        for kind in ("median", "p99")
        for name in ("ttft", "tpot", "itl", "e2el")
    ),
)

Result = dict[str, Any]


def by_load(results: Sequence[Result]) -> list[list[Result]]:
    """The repeats of each load together, loads in the order they first came in."""
    found: dict[tuple[Any, Any], list[Result]] = {}
    for result in results:
        load = result["max_concurrency"], result["request_rate"]
        found.setdefault(load, []).append(result)
    return list(found.values())


def add_spread(results: Sequence[Result]) -> None:
    """To every result that of all repeats of its load, which is the same in each of them."""
    for repeats in by_load(results):
        if len(repeats) > 1:
            spread = {name: spread_of_repeats([one[name] for one in repeats]) for name in _FIGURES}
            for one in repeats:
                one["jan_bench"]["over_repeats"] = spread


def spread_of_repeats(values: Sequence[float]) -> dict[str, float]:
    """`std` is the sample's: n - 1."""
    return {
        "n": len(values),
        "median": statistics.median(values),
        "mean": statistics.fmean(values),
        "std": statistics.stdev(values) if len(values) > 1 else 0.0,
        "least": min(values),
        "most": max(values),
    }
