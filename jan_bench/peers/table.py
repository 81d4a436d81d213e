"""The rounds as people read them: medians, and between which values."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from jan_bench.peers.ceiling import ceiling_per_s
from jan_bench.peers.turns import Results

__all__ = ["markdown"]

_FIGURES = {
    "TTFT p50, ms": "median_ttft_ms",
    "p99": "p99_ttft_ms",
    "TPOT p50, ms": "median_tpot_ms",
    "ITL p99, ms": "p99_itl_ms",
}
CEILING = "llama-batched-bench: the ceiling"


def markdown(found: Mapping[int, Results]) -> str:
    """A table for every number of streams, after one of throughput alone where there are several.
    Loads that nobody had a turn under are left out.
    """
    some = {n: _with_rows(results) for n, results in found.items() if any(results.rows.values())}
    parts = [_overview(some)] if len(some) > 1 else []
    parts += [_of_load(n, results, titled=len(some) > 1) for n, results in some.items()]
    return "\n".join(parts)


def _with_rows(results: Results) -> Results:
    rows = {name: rows for name, rows in results.rows.items() if rows}
    return Results(rows=rows, ceilings=results.ceilings)


def _overview(found: Mapping[int, Results]) -> str:
    names = list(dict.fromkeys(name for results in found.values() for name in results.rows))
    head = ["tokens/s", *(f"{n} at once" for n in found)]
    lines = [
        [name, *(_between(_throughputs(results, name)) for results in found.values())]
        for name in names
    ]
    lines.append([CEILING, *(_between(_ceilings(results)) for results in found.values())])
    return _table(head, lines)


def _of_load(n_streams: int, results: Results, *, titled: bool) -> str:
    ceiling = statistics.median(_ceilings(results)) if results.ceilings else 0.0
    first = f"{n_streams} at once" if titled else ""
    head = [first, "tokens/s", "of the ceiling", *_FIGURES]
    lines: list[list[str]] = []
    for name, rows in results.rows.items():
        throughputs = _throughputs(results, name)
        share = f"{statistics.median(throughputs) / ceiling:.2f}" if ceiling else ""
        medians = [statistics.median(row[key] for row in rows) for key in _FIGURES.values()]
        lines.append([name, _between(throughputs), share, *(f"{x:.1f}" for x in medians)])
    lines.append([CEILING, _between(_ceilings(results)), "1.00", *[""] * len(_FIGURES)])
    return _table(head, lines)


def _throughputs(results: Results, name: str) -> list[float]:
    return [row["output_throughput"] for row in results.rows.get(name, [])]


def _ceilings(results: Results) -> list[float]:
    return [ceiling_per_s(row) for row in results.ceilings]


def _between(values: Sequence[float]) -> str:
    if not values:
        return ""
    text = f"{statistics.median(values):.1f}"
    return f"{text} ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else text


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rules = ["---", *["---:"] * (len(head) - 1)]
    return "".join("| " + " | ".join(line) + " |\n" for line in (head, rules, *lines))
