"""Draws a chart as SVG in the colours of the page it is on, by classes: it has none of its own."""

from __future__ import annotations

from html import escape

from jan_bench.plot.chart import Chart, Series
from jan_bench.plot.ticks import Axis, axis_of

__all__ = ["N_COLOURS", "N_STEPS", "svg_of"]

N_COLOURS = 6  # of series without an order
N_STEPS = 7  # of a ramp, for those with one

_W, _H = 520, 316
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 12, 48
_FEW = 2  # series: of more, only the front is labelled
_LETTER = 6.6  # width of a label's letter, about


class _Frame:
    """The plane between the axes."""

    def __init__(self, x: Axis, y: Axis, height: int) -> None:
        self.x, self.y, self.height = x, y, height

    def point(self, x: float, y: float) -> tuple[float, float]:
        across = _LEFT + self.x.at(x) * (_W - _LEFT - _RIGHT)
        up = self.height - _BOTTOM - self.y.at(y) * (self.height - _TOP - _BOTTOM)
        return round(across, 1), round(up, 1)


def svg_of(chart: Chart) -> str:
    return _spans(chart) if chart.spans else _plane(chart)


def _plane(chart: Chart) -> str:
    xs = [x for one in chart.series for x in one.x]
    ys = [y for one in chart.series for y in one.y]
    if chart.y_log:  # an error bar may reach further than a logarithm does
        tops = [y + e for one in chart.series for y, e in zip(one.y, one.errors, strict=False)]
    else:
        tops = [
            end
            for one in chart.series
            for y, e in zip(one.y, one.errors, strict=False)
            for end in (y - e, y + e)
        ]
    x_axis = axis_of(xs, is_log=chart.x_log, from_zero=chart.from_zero)
    y_axis = axis_of(ys + tops, is_log=chart.y_log, from_zero=chart.from_zero)
    if chart.y_label.startswith("%"):
        y_axis = Axis(low=0, high=104, is_log=False, ticks=[0, 25, 50, 75, 100])
    frame = _Frame(x_axis, y_axis, _H)
    parts = [*_axes(chart, frame), *_front(chart, frame)]
    for i, one in enumerate(chart.series):
        parts += _series(one, frame, _colour(chart, i), chart.has_front)
    parts += _labels(chart, frame)
    return _whole(chart, parts, _H)


def _colour(chart: Chart, i: int) -> str:
    rank = chart.series[i].rank
    if rank is None:
        return f"c{i % N_COLOURS}"
    most = max(one.rank or 0 for one in chart.series)
    return f"s{round(rank * (N_STEPS - 1) / most) if most else N_STEPS - 1}"


def _axes(chart: Chart, frame: _Frame) -> list[str]:
    bottom = frame.height - _BOTTOM
    parts: list[str] = []
    for tick in frame.y.ticks:
        _, up = frame.point(frame.x.low, tick)
        parts.append(f'<path class="grid" d="M{_LEFT} {up}H{_W - _RIGHT}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 8}" y="{up + 4}" text-anchor="end">')
        parts.append(f"{frame.y.name(tick)}</text>")
    for tick in frame.x.ticks:
        across, _ = frame.point(tick, frame.y.low)
        parts.append(f'<path class="mark" d="M{across} {bottom}v4"/>')
        parts.append(f'<text class="tick" x="{across}" y="{bottom + 18}" text-anchor="middle">')
        parts.append(f"{frame.x.name(tick)}</text>")
    middle = (_LEFT + _W - _RIGHT) / 2
    parts.append(f'<path class="axis" d="M{_LEFT} {bottom}H{_W - _RIGHT}"/>')
    parts.append(f'<text class="name" x="{middle}" y="{frame.height - 8}" text-anchor="middle">')
    parts.append(f"{escape(chart.x_label)}</text>")
    half = (_TOP + bottom) / 2
    parts.append(f'<text class="name" transform="translate(14 {half}) rotate(-90)" ')
    parts.append(f'text-anchor="middle">{escape(chart.y_label)}</text>')
    return parts


def _front(chart: Chart, frame: _Frame) -> list[str]:
    points = sorted(frame.point(one.x[i], one.y[i]) for one in chart.series for i in one.front)
    if len(points) < 2:
        return []
    path = "L".join(f"{x} {y}" for x, y in points)
    return [f'<path class="front" d="M{path}"/>']


def _series(one: Series, frame: _Frame, colour: str, has_front: bool) -> list[str]:
    points = [frame.point(x, y) for x, y in zip(one.x, one.y, strict=True)]
    parts = [f'<g class="{colour}">']
    if one.draws != "points" and len(points) > 1:
        path = "L".join(f"{x} {y}" for x, y in points)
        parts.append(f'<path class="line" d="M{path}"/>')
    if one.draws != "line":
        for i, (across, up) in enumerate(points):
            parts += _error(one, i, frame, across)
            kind = "dot open" if has_front and i not in one.front else "dot"
            text = one.labels[i] if one.labels else one.name
            said = f"{text}: {frame.x.name(_short(one.x[i]))}, {frame.y.name(_short(one.y[i]))}"
            parts.append(f'<circle class="{kind}" cx="{across}" cy="{up}" r="4.5">')
            parts.append(f"<title>{escape(said)}</title></circle>")
    parts.append("</g>")
    return parts


def _error(one: Series, i: int, frame: _Frame, across: float) -> list[str]:
    if i >= len(one.errors) or not (error := one.errors[i]):
        return []
    _, high = frame.point(one.x[i], one.y[i] + error)
    _, low = frame.point(one.x[i], max(one.y[i] - error, frame.y.low))
    return [f'<path class="error" d="M{across} {low}V{high}"/>']


def _labels(chart: Chart, frame: _Frame) -> list[str]:
    """Beside their points, where there is room: two that lie on each other are none."""
    taken: list[tuple[float, float, float, float]] = []
    for one in chart.series:
        for x, y in zip(one.x, one.y, strict=True):
            if one.labels:
                across, up = frame.point(x, y)
                taken.append((across - 5, up - 5, across + 5, up + 5))
    parts: list[str] = []
    is_crowded = len(chart.series) > _FEW
    for one in chart.series:
        for i, (x, y, text) in enumerate(zip(one.x, one.y, one.labels, strict=False)):
            if is_crowded and i not in one.front:
                continue
            across, up = frame.point(x, y)
            wide = _LETTER * len(text)
            right, left_of = across + 7, across - 7 - wide
            places = [(right, up + 15), (left_of, up - 7), (right, up + 4), (left_of, up + 4)]
            if not one.rises:
                places = [(right, up - 7), (left_of, up + 15), (right, up + 4), (left_of, up + 4)]
            for left, top in places:
                box = (left, top - 11, left + wide, top + 3)
                inside = box[0] > _LEFT and box[2] < _W - 2 and box[1] > 0
                if inside and not any(_meet(box, other) for other in taken):
                    taken.append(box)
                    parts.append(f'<text class="label" x="{left:.1f}" y="{top:.1f}">')
                    parts.append(f"{escape(text)}</text>")
                    break
    return parts


def _meet(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _spans(chart: Chart) -> str:
    n = len(chart.spans)
    row = max(3.0, min(12.0, 300 / n))
    height = round(_TOP + _BOTTOM + n * row)
    ends = [span.end for span in chart.spans]
    x_axis = axis_of([0.0, *ends], is_log=False, from_zero=True)
    frame = _Frame(x_axis, Axis(low=n, high=0, is_log=False, ticks=[]), height)
    parts = _axes(chart, frame)
    for i, span in enumerate(chart.spans):
        begin, up = frame.point(span.begin, i + 0.5)
        (first, _), (end, _) = frame.point(span.first, 0), frame.point(span.end, 0)
        thick = round(row * 0.62, 1)
        said = f"{span.text}, first after {(span.first - span.begin) * 1000:,.0f} ms"
        parts.append(f"<g><title>{escape(said)}</title>")
        parts.append(f'<path class="waits" stroke-width="{thick}" d="M{begin} {up}H{first}"/>')
        parts.append(f'<path class="writes" stroke-width="{thick}" d="M{first} {up}H{end}"/></g>')
    return _whole(chart, parts, height)


def _whole(chart: Chart, parts: list[str], height: int) -> str:
    title = escape(chart.title)
    head = f'<svg viewBox="0 0 {_W} {height}" role="img" aria-label="{title}">'
    return head + "".join(parts) + "</svg>"


def _short(value: float) -> float:
    return float(f"{value:.4g}")
