"""What a chart shows. Whoever draws it decides nothing but how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

__all__ = ["Chart", "Series", "Span", "pareto_front"]


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """`rank` orders series of one kind, as growing loads; None where they have no order."""

    name: str
    x: list[float]
    y: list[float]
    errors: list[float] = []  # of y, one way
    labels: list[str] = []  # of the points
    draws: Literal["line", "points", "both"] = "both"
    front: list[int] = []  # points that none other beats in both directions
    rank: int | None = None

    @property
    def rises(self) -> bool:
        """From its first point to its last: a label beside the line has to know."""
        return bool(self.x) and (self.x[-1] - self.x[0]) * (self.y[-1] - self.y[0]) > 0


class Span(msgspec.Struct, frozen=True):
    """A request's time: sent, first token, end."""

    begin: float
    first: float
    end: float
    text: str


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    name: str  # of a file
    title: str
    says: str  # how to read it, in a line
    x_label: str
    y_label: str
    series: list[Series] = []
    spans: list[Span] = []  # in place of series
    x_log: bool = False
    y_log: bool = False
    from_zero: bool = True  # both axes, where they are not logarithmic

    @property
    def has_front(self) -> bool:
        """Otherwise every point is as good as any."""
        return any(one.front for one in self.series)


def pareto_front(points: Sequence[tuple[float, float]], *, less_x: bool) -> list[int]:
    """Which points none beats: more y is better, and less x or more of it."""
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1]))
    if not less_x:
        order = sorted(range(len(points)), key=lambda i: (-points[i][0], -points[i][1]))
    front: list[int] = []
    best = float("-inf")
    for i in order:
        if points[i][1] > best:
            best = points[i][1]
            front.append(i)
    return sorted(front)
