"""Charts in a terminal, drawn by plotext."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from jan_bench.plot.chart import Chart
from jan_bench.plot.ticks import axis_of
from jan_engine.errors import InvalidRequest

__all__ = ["in_terminal"]

_HEIGHT = 22  # lines
_GAP = 0.025  # of the width: between a point and its label
_MIDDLE = 0.5  # of the width: labels go where there is more of it
_COLOURS = ("blue", "orange", "green", "magenta", "red", "cyan")


def in_terminal(chart: Chart, width: int, *, colours: bool) -> str:
    """Raises InvalidRequest where plotext is not installed."""
    try:
        plot = import_module("plotext")
    except ImportError:
        raise InvalidRequest(
            "output: plots in a terminal need the extra bench: pip install 'jan-engine[bench]'"
        ) from None
    plot.clear_figure()
    plot.theme("clear")
    plot.plotsize(width, _HEIGHT)
    plot.title(chart.title)
    plot.xlabel(chart.x_label)
    plot.ylabel(chart.y_label)
    if chart.spans:
        for i, span in enumerate(chart.spans):
            plot.plot([span.begin, span.first], [i, i], marker=".", color="gray")
            plot.plot([span.first, span.end], [i, i], marker="hd", color="blue")
        plot.yreverse(True)
        plot.yticks([])
    else:
        _series(chart, plot)
    text: str = plot.build()
    return text if colours else str(plot.uncolorize(text))


def _series(chart: Chart, plot: ModuleType) -> None:
    """In shares of the axes, which are ours: the same marks as everywhere, logarithmic or not."""
    x_axis = axis_of(
        [x for one in chart.series for x in one.x], is_log=chart.x_log, from_zero=chart.from_zero
    )
    y_axis = axis_of(
        [y for one in chart.series for y in one.y], is_log=chart.y_log, from_zero=chart.from_zero
    )
    for name, axis in (("x", x_axis), ("y", y_axis)):
        getattr(plot, f"{name}lim")(0, 1)
        names = [axis.name(tick) for tick in axis.ticks]
        getattr(plot, f"{name}ticks")([axis.at(tick) for tick in axis.ticks], names)
    for i, one in enumerate(chart.series):
        colour = _COLOURS[i % len(_COLOURS)]
        xs, ys = [x_axis.at(x) for x in one.x], [y_axis.at(y) for y in one.y]
        if one.draws != "points":
            plot.plot(xs, ys, marker="hd", color=colour)
        if one.draws != "line":
            plot.scatter(xs, ys, marker="●", color=colour)
        labels = list(zip(xs, ys, one.labels, strict=False))
        if not labels and len(chart.series) > 1:  # its name, apart from those of the others
            at = len(xs) * (i + 1) // (len(chart.series) + 1)
            labels = [(xs[at], ys[at], one.name)]
        for x, y, text in labels:
            if x < _MIDDLE:
                plot.text(text, x + _GAP, y, alignment="left")
            else:
                plot.text(text, x - _GAP, y, alignment="right")
