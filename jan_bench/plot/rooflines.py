"""Matrix kernels below what the machine allows them: a chart for each type of weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from jan_bench.plot.chart import Chart, Series
from jan_bench.results import Row

__all__ = ["rooflines"]

_APART = 1.5  # on a logarithmic axis


def rooflines(rows: Sequence[Row]) -> Iterator[Chart]:
    alike: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        alike[row["type"], row["n_threads"]].append(row)
    several_threads = len({n_threads for _, n_threads in alike}) > 1
    for (type_name, n_threads), some in alike.items():
        some.sort(key=lambda row: row["n_columns"])
        if len(some) < 2:
            continue
        threads = "1 thread" if n_threads == 1 else f"{n_threads} threads"
        drawn = (
            _kernels(some, "ours", ""),
            _kernels(some, "llama.cpp's", "upstream_"),
            _roof(some),
        )
        yield Chart(
            name=f"roofline-{type_name.lower()}" + (f"-{n_threads}" if several_threads else ""),
            title=f"{type_name.upper()} products below what the machine allows, {threads}",
            says="Beside a point, its share of the limit, which is memory's where it rises and "
            "arithmetic's where it is flat.",
            x_label="columns of activations: tokens or streams of a pass",
            y_label="10⁹ operations a second",
            x_log=True,
            y_log=True,
            series=[one for one in drawn if one.x],
        )


def _kernels(rows: Sequence[Row], name: str, prefix: str) -> Series:
    there = [row for row in rows if row[f"{prefix}gops"] > 0]
    return Series(
        name=name,
        x=[float(row["n_columns"]) for row in there],
        y=[row[f"{prefix}gops"] for row in there],
        labels=_labels(there, f"{prefix}share_of_limit"),
    )


def _labels(rows: Sequence[Row], share: str) -> list[str]:
    """Empty where one would stand on its neighbour's."""
    labels: list[str] = []
    last = 0.0
    for row in rows:
        has_room = row["n_columns"] >= _APART * last
        labels.append(f"{row[share]:.0%}" if has_room else "")
        last = row["n_columns"] if has_room else last
    return labels


def _roof(rows: Sequence[Row]) -> Series:
    """With the corner that it has between two numbers of columns."""
    points = {float(row["n_columns"]): row["limit_gops"] for row in rows}
    by_memory = [row for row in rows if row["limited_by"] == "memory"]
    arithmetic = rows[-1]["limit_byte_gops"]
    if by_memory and arithmetic:
        a_column = by_memory[0]["limit_gops"] / by_memory[0]["n_columns"]
        if arithmetic / a_column < rows[-1]["n_columns"]:
            points[arithmetic / a_column] = arithmetic
    xs = sorted(points)
    return Series(name="the machine's limits", x=xs, y=[points[x] for x in xs], draws="line")
