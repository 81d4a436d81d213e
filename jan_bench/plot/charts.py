"""The charts that results have something to say in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from jan_bench.plot.chart import Chart, Series, Span, pareto_front
from jan_bench.plot.rooflines import rooflines
from jan_bench.results import Results, Row, load_name, server_names

__all__ = ["charts_of"]

_MOST_SPANS = 120
_MOST_CURVES = 8  # of more, those that none beats
_MOST_STEPS = 400  # of a curve: more cannot be seen
_GIB = 1024**3


def charts_of(results: Results) -> list[Chart]:
    """In the order in which somebody asks: how much, how soon, how evenly, how good."""
    found: list[Chart] = []
    found += _trade(results.serve)
    found += _curves(results.serve)
    found += _timeline(results.serve)
    found += _engine(results.engine)
    found += _quality(results)
    found += rooflines(results.roofline)
    return found


def _by_server(rows: Sequence[Row]) -> dict[str, list[Row]]:
    servers: dict[str, list[Row]] = defaultdict(list)
    for name, row in zip(server_names(rows), rows, strict=True):
        servers[name].append(row)
    return servers


def _trade(rows: Sequence[Row]) -> Iterator[Chart]:
    if len(rows) < 2:
        return
    models = {
        name: sorted(some, key=lambda row: (row.get("max_concurrency") or 0, _rate(row)))
        for name, some in _by_server(rows).items()
    }
    points = [(row["p99_ttft_ms"], row["output_throughput"]) for row in rows]
    best = {points[i] for i in pareto_front(points, less_x=True)}
    yield Chart(
        name="throughput-ttft",
        title="Throughput and the wait for it",
        says="Each point is a load. Left and up is better; filled ones are beaten by none in both.",
        x_label="time to first token, 99th percentile, ms",
        y_label="tokens/s out",
        x_log=_spans_decades([x for x, _ in points]),
        series=[
            Series(
                name=name,
                x=[row["p99_ttft_ms"] for row in some],
                y=[row["output_throughput"] for row in some],
                labels=[load_name(row) for row in some],
                front=[
                    i
                    for i, row in enumerate(some)
                    if (row["p99_ttft_ms"], row["output_throughput"]) in best
                ],
            )
            for name, some in models.items()
        ],
    )
    closed = [row for row in rows if row.get("max_concurrency")]
    if not closed:
        return
    points = [_user_and_total(row) for row in closed]
    best = {points[i] for i in pareto_front(points, less_x=False)}
    yield Chart(
        name="user-total",
        title="What one caller has, and what all have together",
        says="Each point is a load: with more callers each has less of more.",
        x_label="tokens/s of each caller",
        y_label="tokens/s of all",
        series=[
            Series(
                name=name,
                x=[_user_and_total(row)[0] for row in held],
                y=[_user_and_total(row)[1] for row in held],
                labels=[load_name(row) for row in held],
                front=[i for i, row in enumerate(held) if _user_and_total(row) in best],
            )
            for name, some in models.items()
            if (held := [row for row in some if row.get("max_concurrency")])
        ],
    )


def _user_and_total(row: Row) -> tuple[float, float]:
    total: float = row["output_throughput"]
    return total / row["max_concurrency"], total


def _curves(rows: Sequence[Row]) -> Iterator[Chart]:
    """Cumulative distributions, where the files have every request's times."""
    detailed = [row for row in rows if any(row.get("output_lens", []))]
    if len(detailed) > _MOST_CURVES:
        points = [(row["p99_ttft_ms"], row["output_throughput"]) for row in detailed]
        detailed = [detailed[i] for i in pareto_front(points, less_x=True)][:_MOST_CURVES]
    if not detailed:
        return
    names = _names(detailed)
    is_ordered = len(_by_server(detailed)) == 1
    for name, title, label, values in (
        ("ttft", "When the first token came", "time to first token, ms", _ttfts),
        ("itl", "How evenly the others came", "time between two frames, ms", _itls),
    ):
        series = [
            Series(name=names[i], x=xs, y=ys, draws="line", rank=i if is_ordered else None)
            for i, row in enumerate(detailed)
            if (curve := _distribution(values(row))) is not None
            for xs, ys in [curve]
        ]
        if series:
            yield Chart(
                name=f"{name}-cdf",
                title=title,
                says="How many percent came within that time. Left is better, steep is even.",
                x_label=label,
                y_label="% of them",
                x_log=_spans_decades([x for one in series for x in one.x]),
                series=series,
            )


def _timeline(rows: Sequence[Row]) -> Iterator[Chart]:
    detailed = [row for row in rows if any(row.get("output_lens", []))]
    if not detailed:
        return
    row = max(detailed, key=lambda row: row["max_concurrent_requests"])
    spans = [
        Span(start, start + ttft, start + ttft + sum(gaps), f"{n} tokens")
        for start, ttft, gaps, n in zip(
            row["start_times"], row["ttfts"], row["itls"], row["output_lens"], strict=True
        )
        if n
    ]
    spans.sort(key=lambda span: span.begin)
    shown = spans[:_MOST_SPANS]
    which = (
        f"the first {len(shown)} of {len(spans)} requests"
        if len(spans) > len(shown)
        else (f"all {len(spans)} requests")
    )
    yield Chart(
        name="timeline",
        title=f"Requests, {load_name(row)}",
        says=f"{which.capitalize()}, a line each: pale while it waits for its first token.",
        x_label="seconds since the beginning",
        y_label="request",
        spans=shown,
    )


def _engine(rows: Sequence[Row]) -> Iterator[Chart]:
    yield from _speeds(
        [row for row in rows if row["n_prompt"] and not row["n_gen"] and not row.get("n_depth")],
        "n_prompt",
        name="prefill",
        title="Reading a prompt",
        x_label="tokens of the prompt",
    )
    yield from _speeds(
        [row for row in rows if row["n_gen"] and not row["n_prompt"]],
        "n_depth",
        name="decode-depth",
        title="Writing, behind ever more text",
        x_label="tokens before it",
    )


def _speeds(
    rows: Sequence[Row], over: str, *, name: str, title: str, x_label: str
) -> Iterator[Chart]:
    models: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.get(over, 0)):
        models[_file_name(row)].append(row)
    if max((len({row.get(over, 0) for row in some}) for some in models.values()), default=0) < 2:
        return
    yield Chart(
        name=name,
        title=title,
        x_label=x_label,
        says="Mean of the repeats, with their standard deviation.",
        y_label="tokens/s",
        series=[
            Series(
                name=model,
                x=[float(row.get(over, 0)) for row in some],
                y=[row["avg_ts"] for row in some],
                errors=[row.get("stddev_ts", 0.0) for row in some],
            )
            for model, some in models.items()
        ],
    )


def _quality(results: Results) -> Iterator[Chart]:
    compared = [row for row in results.quality if row["figures"].get("divergence")]
    if not compared:
        return
    compared.sort(key=lambda row: row["model"]["n_bytes"])
    facts: dict[str, Any] = {
        "y_label": "mean KL divergence, nats",
        "y_log": True,
        "from_zero": False,
    }
    yield Chart(
        name="quality-size",
        title="What a smaller file loses",
        says="Each point is a quantization, with its standard error. Left and down is better.",
        x_label="size, GiB",
        series=[_divergence(compared, [row["model"]["n_bytes"] / _GIB for row in compared])],
        **facts,
    )
    speeds = {
        _file_name(row): row["avg_ts"]
        for row in results.engine
        if row["n_gen"] and not row["n_prompt"] and not row.get("n_depth")
    }
    both = [row for row in compared if _path_name(row["model"]["path"]) in speeds]
    if both:
        xs = [speeds[_path_name(row["model"]["path"])] for row in both]
        yield Chart(
            name="quality-speed",
            title="What a faster file loses",
            says="Each point is a quantization. Right and down is better.",
            x_label="tokens/s, one stream",
            series=[_divergence(both, xs)],
            **facts,
        )


def _divergence(rows: Sequence[Row], xs: list[float]) -> Series:
    means = [row["figures"]["divergence"]["kl"]["mean"] for row in rows]
    return Series(
        name="mean KLD",
        x=xs,
        y=[max(mean["value"], 1e-9) for mean in means],
        errors=[mean["error"] for mean in means],
        labels=[str(row["model"]["quantization"]) for row in rows],
        draws="points",
    )


def _distribution(ms: Sequence[float]) -> tuple[list[float], list[float]] | None:
    if not ms:
        return None
    ordered = sorted(ms)
    n = len(ordered)
    at = sorted({round(i * (n - 1) / _MOST_STEPS) for i in range(_MOST_STEPS + 1)})
    return [ordered[i] for i in at], [100 * (i + 1) / n for i in at]


def _ttfts(row: Row) -> list[float]:
    return [s * 1000 for s, n in zip(row["ttfts"], row["output_lens"], strict=True) if n]


def _itls(row: Row) -> list[float]:
    # Frames that came in one packet are nothing apart, which no logarithm has a place for.
    return [max(s * 1000, 0.01) for gaps in row["itls"] for s in gaps]


def _names(rows: Sequence[Row]) -> list[str]:
    servers = server_names(rows)
    several = len(set(servers)) > 1
    return [
        f"{server}, {load_name(row)}" if several else load_name(row)
        for server, row in zip(servers, rows, strict=True)
    ]


def _rate(row: Row) -> float:
    return float(row.get("request_rate", "inf"))


def _file_name(row: Row) -> str:
    return _path_name(str(row.get("model_filename", "")))


def _path_name(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".gguf")


def _spans_decades(values: Sequence[float]) -> bool:
    least, most = min(values), max(values)
    return least > 0 and most / least > 20
