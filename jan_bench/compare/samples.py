"""What two files have in common: the same test or load, and the samples behind its figures."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from jan_bench.load.metrics import percentile
from jan_bench.results import Results, Row, engine_name, load_name, of_ours, quality_name

__all__ = ["Pair", "pairs_of"]

T = TypeVar("T")
Statistic = Callable[[Sequence[float]], float]
_FEWEST_FOR_P99 = 100  # below it the 99th percentile is one request's luck
_SLICES = 20


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One figure in both files. Its value is `statistic` of the samples."""

    where: str  # which test or load
    figure: str
    unit: str
    more_is_better: bool
    statistic: Statistic
    a: list[float]
    b: list[float]
    is_timed: bool  # samples follow each other in time, and neighbours are alike
    is_paired: bool = False  # a[i] and b[i] are of the same: what they share is no difference
    may_fail: bool = True  # too few samples to hold anybody to it


class _Figure(msgspec.Struct, frozen=True, kw_only=True):
    figure: str
    unit: str
    more_is_better: bool
    statistic: Statistic
    samples: list[float]
    fewest: int = 2
    is_timed: bool = False
    is_paired: bool = False


def pairs_of(a: Results, b: Results) -> list[Pair]:
    """Of what is in both: nothing can be said of the rest."""
    ours, theirs = _figures(a), _figures(b)
    pairs: list[Pair] = []
    for (where, figure), one in ours.items():
        other = theirs.get((where, figure))
        if other is None:
            continue
        n = min(len(one.samples), len(other.samples))
        pairs.append(
            Pair(
                where=where,
                figure=figure,
                unit=one.unit,
                more_is_better=one.more_is_better,
                statistic=one.statistic,
                a=one.samples,
                b=other.samples,
                is_timed=one.is_timed,
                is_paired=one.is_paired and len(one.samples) == len(other.samples),
                may_fail=n >= one.fewest,
            )
        )
    return pairs


def _figures(results: Results) -> Mapping[tuple[str, str], _Figure]:
    """Several runs of the same in one file are one, with the samples of all."""
    found: dict[tuple[str, str], _Figure] = {}
    for where, figure in _all(results):
        key = (where, figure.figure)
        if key in found:
            found[key].samples.extend(figure.samples)
        else:
            found[key] = figure
    return found


def _all(results: Results) -> Iterator[tuple[str, _Figure]]:
    several = len({row.get("model_filename") for row in results.engine + results.batched}) > 1
    for row in results.engine:
        samples = [float(value) for value in row.get("samples_ts") or [row["avg_ts"]]]
        yield _of_model(row, engine_name(row), several), _speed("t/s", samples)
    for row in results.batched:
        where = _of_model(row, f"{row['pl']} streams", several)
        for name, n, times in (
            ("prompt t/s", row["pp"] * row["pl"], row.get("samples_pp_ns", [])),
            ("decode t/s", row["tg"] * row["pl"], row.get("samples_tg_ns", [])),
        ):
            yield where, _speed(name, [n * 1e9 / ns for ns in times if ns])
    for row in results.roofline:
        where = f"{row['type']} {row['width']} x {row['n_rows']}, {row['n_columns']} columns"
        operations = 2 * row["width"] * row["n_rows"] * row["n_columns"]
        gops = [operations / ns for ns in row["samples_ns"] or row["upstream_samples_ns"]]
        yield f"{where}, {row['n_threads']} threads", _speed("GOPS", gops)
    yield from _of_quality(results.quality)
    datasets = {of_ours(row, "dataset") for row in results.serve}
    for row in results.serve:
        where = load_name(row)
        if len(datasets) > 1:
            where += f", {of_ours(row, 'dataset')}"
        for figure in _of_server(row):
            yield where, figure


def _of_quality(rows: Sequence[Row]) -> Iterator[tuple[str, _Figure]]:
    """By windows, each of which is the same piece of text in both files."""
    measured = [row for row in rows if not row.get("is_reference")]
    names = {quality_name(row) for row in measured}
    for row in measured:
        by_window = row["figures"].get("by_window")
        if not by_window:
            continue  # of a version that did not keep them
        where = f"{row['text']} ({row['text_sha256'][:8]}), windows of {row['n_ctx']}"
        if len(names) > 1:
            where = f"{quality_name(row)}: {where}"
        yield where, _by_window("PPL", by_window["nll"], _perplexity)
        if by_window["kl"]:
            against = f"{where}, against {row['reference']}"
            yield against, _by_window("mean KLD, nats", by_window["kl"], statistics.fmean)
            same = _by_window("same top p", by_window["same_best"], statistics.fmean)
            yield against, msgspec.structs.replace(same, more_is_better=True)


def _perplexity(nll: Sequence[float]) -> float:
    return math.exp(min(statistics.fmean(nll), 700))


def _by_window(figure: str, samples: list[float], statistic: Statistic) -> _Figure:
    return _Figure(
        figure=figure,
        unit="",
        more_is_better=False,
        statistic=statistic,
        samples=list(samples),
        is_paired=True,
    )


def _of_model(row: Row, name: str, several: bool) -> str:
    return f"{str(row.get('model_filename', '')).rpartition('/')[2]} {name}" if several else name


def _of_server(row: Row) -> Iterator[_Figure]:
    """Nothing without --save-detailed but the throughput, of which then nobody knows the spread."""
    ok = [length > 0 for length in row.get("output_lens", [])]
    if not any(ok):
        yield _speed("tokens/s", [row["output_throughput"]])
        return
    lens = _kept(row["output_lens"], ok)
    ttfts, itls = _kept(row["ttfts"], ok), _kept(row["itls"], ok)
    ends = _kept(row.get("latencies") or _sums(row["ttfts"], row["itls"]), ok)
    tpots = [
        (end - ttft) / (n - 1) for end, ttft, n in zip(ends, ttfts, lens, strict=True) if n > 1
    ]
    starts = _kept(row["start_times"], ok)
    speed = _speed("tokens/s", _slices(starts, ttfts, itls, lens))
    yield msgspec.structs.replace(speed, is_timed=True)
    yield _latency("TTFT median", ttfts)
    yield _latency("TTFT p99", ttfts, _p99, fewest=_FEWEST_FOR_P99)
    yield _latency("TPOT median", tpots)
    yield _latency("E2EL median", ends)


def _slices(
    starts: Sequence[float],
    ttfts: Sequence[float],
    itls: Sequence[Sequence[float]],
    lens: Sequence[int],
) -> list[float]:
    """Tokens per second in each of the run's twentieths; their mean is that of the run."""
    at: list[tuple[float, float]] = []
    for start, ttft, gaps, n in zip(starts, ttfts, itls, lens, strict=True):
        now = start + ttft
        weight = n / (len(gaps) + 1)
        at.append((now, weight))
        for gap in gaps:
            now += gap
            at.append((now, weight))
    first, last = min(starts), max(now for now, _ in at)
    slice_s = (last - first) / _SLICES or 1.0
    tokens: defaultdict[int, float] = defaultdict(float)
    for now, weight in at:
        tokens[min(int((now - first) / slice_s), _SLICES - 1)] += weight
    return [tokens[i] / slice_s for i in range(_SLICES)]


def _sums(ttfts: Sequence[float], itls: Sequence[Sequence[float]]) -> list[float]:
    return [ttft + sum(gaps) for ttft, gaps in zip(ttfts, itls, strict=True)]


def _kept(values: Sequence[T], ok: Sequence[bool]) -> list[T]:
    return [value for value, is_ok in zip(values, ok, strict=True) if is_ok]


def _p99(values: Sequence[float]) -> float:
    return percentile(sorted(values), 99)


def _speed(figure: str, samples: list[float]) -> _Figure:
    return _Figure(
        figure=figure, unit="", more_is_better=True, statistic=statistics.fmean, samples=samples
    )


def _latency(
    figure: str, seconds: Sequence[float], statistic: Statistic = statistics.median, fewest: int = 5
) -> _Figure:
    return _Figure(
        figure=figure,
        unit="ms",
        more_is_better=False,
        statistic=statistic,
        samples=[value * 1000 for value in seconds],
        fewest=fewest,
        is_timed=True,
    )
