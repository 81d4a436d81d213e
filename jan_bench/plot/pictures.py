"""Charts as files, drawn by matplotlib: for papers, slides and wherever no browser is."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from jan_bench.plot.chart import Chart
from jan_bench.plot.ticks import axis_of
from jan_engine.errors import InvalidRequest, WriteFailed

__all__ = ["draw"]

_COLOURS = ("#2a78d6", "#d9662b", "#1b9e77", "#7b5fc7", "#c2447e", "#8a6d1d")
_PALE, _DEEP = (0xA8, 0xC6, 0xEE), (0x12, 0x3D, 0x78)
_INK, _SOFT, _FAINT = "#1c1f24", "#5b6470", "#e4e7eb"


def draw(chart: Chart, path: Path) -> None:
    """The name's end says what it becomes: .png, .svg or .pdf. Raises WriteFailed."""
    try:
        matplotlib = import_module("matplotlib")
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise InvalidRequest(
            "format: pictures need the extra bench: pip install 'jan-engine[bench]'"
        ) from None
    with matplotlib.rc_context(
        {"svg.fonttype": "none", "font.size": 10, "svg.hashsalt": chart.name}
    ):
        figure: Any = Figure(figsize=(7.2, 4.4), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        _frame(chart, axes)
        if chart.spans:
            _draw_spans(chart, axes)
        else:
            _draw_series(chart, axes)
        try:
            figure.savefig(path, dpi=160, facecolor="white")
        except OSError as error:
            raise WriteFailed(f"cannot write {path}: {error.strerror or error}") from error


def _frame(chart: Chart, axes: Any) -> None:  # noqa: ANN401 - half of it has no types
    axes.set_title(chart.title, loc="left", fontweight="bold", color=_INK, pad=22)
    axes.annotate(
        chart.says,
        (0, 1),
        xytext=(0, 7),
        xycoords="axes fraction",
        textcoords="offset points",
        color=_SOFT,
        fontsize=8.5,
    )
    axes.set_xlabel(chart.x_label, color=_SOFT)
    axes.set_ylabel(chart.y_label, color=_SOFT)
    axes.tick_params(colors=_SOFT, which="both")
    axes.grid(visible=True, axis="y", color=_FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_SOFT)


def _draw_series(chart: Chart, axes: Any) -> None:  # noqa: ANN401 - half of it has no types
    _scale(chart, axes)
    ranked = [one for one in chart.series if one.rank is not None]
    for i, one in enumerate(chart.series):
        colour = _COLOURS[i % len(_COLOURS)]
        if one.rank is not None:
            colour = _step(one.rank / max(len(ranked) - 1, 1))
        if one.draws != "points":
            axes.plot(one.x, one.y, color=colour, linewidth=1.8, label=one.name, zorder=2)
        if one.draws != "line":
            filled = one.front if chart.has_front else range(len(one.x))
            faces = [colour if k in filled else "white" for k in range(len(one.x))]
            name = one.name if one.draws == "points" else None
            axes.scatter(one.x, one.y, s=34, c=faces, edgecolors=colour, zorder=3, label=name)
        if one.errors:
            axes.errorbar(one.x, one.y, yerr=one.errors, fmt="none", ecolor=colour, zorder=1)
        beside = (6, -11) if one.rises else (6, 5)
        for x, y, text in zip(one.x, one.y, one.labels, strict=False):
            axes.annotate(
                text, (x, y), xytext=beside, textcoords="offset points", fontsize=8, color=_INK
            )
    if len(chart.series) > 1:
        axes.legend(frameon=False, fontsize=8.5, labelcolor=_INK)


def _scale(chart: Chart, axes: Any) -> None:  # noqa: ANN401 - half of it has no types
    from matplotlib.ticker import NullLocator

    for axis, is_log, values in (
        (axes.xaxis, chart.x_log, [x for one in chart.series for x in one.x]),
        (axes.yaxis, chart.y_log, [y for one in chart.series for y in one.y]),
    ):
        placed = axis_of(values, is_log=is_log, from_zero=chart.from_zero)
        if is_log:
            axis.axes.set(**{f"{axis.axis_name}scale": "log"})
            axis.set_minor_locator(NullLocator())
        axis.set_ticks(placed.ticks, [placed.name(tick) for tick in placed.ticks])
        axis.axes.set(**{f"{axis.axis_name}lim": (placed.low, placed.high)})


def _draw_spans(chart: Chart, axes: Any) -> None:  # noqa: ANN401 - half of it has no types
    rows = range(len(chart.spans))
    waits = [span.first - span.begin for span in chart.spans]
    writes = [span.end - span.first for span in chart.spans]
    begins, firsts = ([getattr(s, name) for s in chart.spans] for name in ("begin", "first"))
    axes.barh(rows, waits, left=begins, height=0.62, color="#b9cfea", label="waits")
    axes.barh(rows, writes, left=firsts, height=0.62, color=_COLOURS[0], label="writes")
    axes.invert_yaxis()
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.legend(frameon=False, fontsize=8.5, labelcolor=_INK, loc="upper right")


def _step(at: float) -> str:
    """From pale to deep, in the order of the series."""
    parts = [round(a + (b - a) * at) for a, b in zip(_PALE, _DEEP, strict=True)]
    return "#" + "".join(f"{part:02x}" for part in parts)
