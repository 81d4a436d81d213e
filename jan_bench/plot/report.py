"""One page with everything, that needs nothing but itself: to be sent to somebody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, cast

from jan_bench.plot.chart import Chart
from jan_bench.plot.charts import charts_of
from jan_bench.plot.svg import N_COLOURS, N_STEPS, svg_of
from jan_bench.results import Results, Row, engine_name, load_name, of_ours, server_names

__all__ = ["report_of"]

_PAGE = Path(__file__).parent / "page"


def report_of(results: Results, title: str) -> str:
    """Raises nothing for results that were read."""
    body = [
        f"<header><p class=kind>jan bench</p><h1>{escape(title)}</h1>{_when(results)}</header>",
        _headline(results),
        _warnings(results),
        _tables(results),
        '<section class="charts">',
        *(_chart(chart) for chart in charts_of(results)),
        "</section>",
        _circumstances(results),
    ]
    page = (_PAGE / "report.html").read_text()
    for name, text in (
        ("TITLE", escape(title)),
        ("STYLE", (_PAGE / "report.css").read_text()),
        ("SCRIPT", (_PAGE / "report.js").read_text()),
        ("BODY", "\n".join(part for part in body if part)),
    ):
        page = page.replace(f"<!--{name}-->", text)
    return page


def _when(results: Results) -> str:
    told = next(_all_circumstances(results), None)
    if told is None:
        return ""
    machine = told["machine"]
    said = [
        str(told["at"]).replace("T", " ").replace("Z", " UTC"),
        str(machine["processor"]),
        f"{machine['cores_allowed'] or machine['cores']} cores",
        f"jan-engine {told['build']['version']}, llama.cpp b{told['build']['llama_cpp_build']}",
    ]
    return "<p class=when>" + " · ".join(escape(text) for text in said if text) + "</p>"


def _headline(results: Results) -> str:
    """The few figures that somebody remembers."""
    tiles: list[tuple[str, str, str]] = []
    if results.serve:
        best = max(results.serve, key=lambda row: row["output_throughput"])
        tiles.append(
            ("Most tokens per second", _number(best["output_throughput"]), load_name(best))
        )
        quick = min(results.serve, key=lambda row: row["median_ttft_ms"])
        tiles.append(
            ("First token, median", f"{_number(quick['median_ttft_ms'])} ms", load_name(quick))
        )
        even = min(results.serve, key=lambda row: row["median_tpot_ms"] or float("inf"))
        tiles.append(
            ("Each further token", f"{_number(even['median_tpot_ms'])} ms", load_name(even))
        )
        n_failed = sum(row["failed"] for row in results.serve)
        n_all = sum(row["completed"] for row in results.serve) + n_failed
        tiles.append(
            ("Requests answered", f"{n_all - n_failed} of {n_all}", _errors(results.serve))
        )
    for row in sorted(results.engine, key=lambda row: -row["avg_ts"]):
        if len(tiles) < 4 and not (row["n_prompt"] and row["n_gen"]):
            what = "Reads" if row["n_prompt"] else "Writes"
            tiles.append(
                (what, f"{_number(row['avg_ts'])} t/s", f"{engine_name(row)}, {_model(row)}")
            )
    compared = [row for row in results.quality if row["figures"].get("divergence")]
    for row in compared[: max(0, 4 - len(tiles))]:
        of = row["figures"]["divergence"]
        same = f"{of['same_best']['value']:.1%} same first choice"
        tiles.append(
            (f"{row['model']['quantization']}, mean KLD", f"{of['kl']['mean']['value']:.2g}", same)
        )
    return (
        "<section class=tiles>"
        + "".join(
            f"<div><p>{escape(name)}</p><strong>{escape(value)}</strong><p>{escape(where)}</p></div>"
            for name, value, where in tiles
        )
        + "</section>"
    )


def _errors(rows: Sequence[Row]) -> str:
    kinds: dict[str, int] = {}
    for row in rows:
        found = cast("dict[str, int]", of_ours(row, "errors_by_kind") or {})
        for kind, n in found.items():
            kinds[kind] = kinds.get(kind, 0) + n
        if broken := of_ours(row, "incomplete"):
            kinds["incomplete"] = kinds.get("incomplete", 0) + broken
    return ", ".join(f"{n} {kind}" for kind, n in kinds.items()) or "none failed"


def _warnings(results: Results) -> str:
    said: list[str] = []
    for row, cells in zip(results.serve, _serve_rows(results.serve), strict=True):
        where = ", ".join(cells[: -len(_SERVE) + 1])
        found = cast("list[str]", of_ours(row, "warnings") or [])
        said += [f"{where}: {text}" for text in found]
    if not said:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in said)
    return f'<section class="warnings"><h2>To be read with care</h2><ul>{items}</ul></section>'


def _tables(results: Results) -> str:
    return "".join(
        (
            _table("Under load", _serve_head(results.serve), _serve_rows(results.serve)),
            _table("The engine alone", _ENGINE, [_engine_cells(row) for row in results.engine]),
            _table("Several streams", _BATCHED, [_batched_cells(row) for row in results.batched]),
            _table("Quality", _QUALITY, [_quality_cells(row) for row in results.quality]),
        )
    )


_SERVE = (
    *("load", "answered", "requests/s", "tokens/s", "TTFT p50", "p99"),
    *("TPOT p50", "p99", "ITL p99", "E2EL p50", "p99"),
)
_ENGINE = ("test", "model", "t/s", "±", "repeats")
_BATCHED = ("streams", "model", "prompt t/s", "decode t/s", "total t/s")
_QUALITY = ("model", "size", "bits/weight", "perplexity", "mean KLD", "99 %", "same first choice")


def _serve_head(rows: Sequence[Row]) -> Sequence[str]:
    return ("server", *_SERVE) if len(set(server_names(rows))) > 1 else _SERVE


def _serve_rows(rows: Sequence[Row]) -> list[list[str]]:
    """With the server first, where there are several."""
    names = server_names(rows)
    several = len(set(names)) > 1
    return [
        [*([name] if several else []), *_serve_cells(row)]
        for name, row in zip(names, rows, strict=True)
    ]


def _serve_cells(row: Row) -> list[str]:
    answered = str(row["completed"])
    if row["failed"]:
        answered += f" of {row['completed'] + row['failed']}"
    names = ("median_ttft", "p99_ttft", "median_tpot", "p99_tpot", "p99_itl", "median_e2el")
    figures = [row["request_throughput"], row["output_throughput"]]
    figures += [row.get(f"{name}_ms", 0.0) for name in (*names, "p99_e2el")]
    return [load_name(row), answered, *(_number(value) for value in figures)]


def _engine_cells(row: Row) -> list[str]:
    n = len(row.get("samples_ts") or [0])
    spread = _number(row.get("stddev_ts", 0.0))
    return [engine_name(row), _model(row), _number(row["avg_ts"]), spread, str(n)]


def _batched_cells(row: Row) -> list[str]:
    speeds = (row["speed_pp"], row["speed_tg"], row["speed"])
    return [str(row["pl"]), _model(row), *(_number(value) for value in speeds)]


def _quality_cells(row: Row) -> list[str]:
    model, figures = row["model"], row["figures"]
    ppl = figures["ppl"]
    cells = [
        str(model["quantization"]) + (" (reference)" if row.get("is_reference") else ""),
        f"{model['n_bytes'] / 1024**2:,.0f} MiB",
        f"{model['bits_per_weight']:.2f}",
        f"{ppl['value']:.4g} ± {ppl['error']:.2g}",
    ]
    of = figures.get("divergence")
    if of is None:
        return [*cells, "", "", ""]
    kl = of["kl"]
    return [
        *cells,
        f"{kl['mean']['value']:.3g} ± {kl['mean']['error']:.1g}",
        f"{kl['percentiles']['99']:.3g}",
        f"{of['same_best']['value']:.1%}",
    ]


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    note = '<p class="note">Latencies in milliseconds.</p>' if "TTFT p50" in head else ""
    return (
        f"<section><h2>{escape(title)}</h2><div class=wide><table><thead><tr>{top}</tr></thead>"
        f"<tbody>{lines}</tbody></table></div>{note}</section>"
    )


def _chart(chart: Chart) -> str:
    legend = ""
    if chart.spans:
        legend = (
            '<span><i class="waits"></i>waits</span> '
            '<span><i class="writes"></i>is written to</span>'
        )
    elif len(chart.series) > 1:
        most = max(one.rank or 0 for one in chart.series)
        for i, one in enumerate(chart.series):
            ranked = round((one.rank or 0) * (N_STEPS - 1) / most) if most else N_STEPS - 1
            colour = f"c{i % N_COLOURS}" if one.rank is None else f"s{ranked}"
            legend += f'<span><i class="{colour}"></i>{escape(one.name)}</span> '
    return (
        f'<figure id="{chart.name}"><figcaption><h3>{escape(chart.title)}</h3>'
        f"<p>{escape(chart.says)}</p></figcaption>{svg_of(chart)}"
        f"<div class=legend>{legend}</div></figure>"
    )


def _circumstances(results: Results) -> str:
    """What somebody needs who wants the same again. Runs that differ in nothing are told once."""
    seen: list[dict[str, Any]] = []
    parts: list[str] = []
    for told in _all_circumstances(results):
        if told in seen:
            continue
        seen.append(told)
        rows = "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
            for name, value in _facts(told)
            if value
        )
        parts.append(
            f"<details{' open' * (len(seen) == 1)}><summary>{escape(told['command'])}, "
            f"{escape(told['at'])}</summary><dl>{rows}</dl></details>"
        )
    if not parts:
        return ""
    return (
        "<section class=circumstances><h2>Under which circumstances</h2>"
        + "".join(parts)
        + "</section>"
    )


def _facts(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    machine, build = told["machine"], told["build"]
    yield (
        "processor",
        f"{machine['processor']}, {machine['cores_allowed']} of {machine['cores']} cores",
    )
    yield "memory", f"{machine['memory_bytes'] / 1024**3:.0f} GiB"
    yield "system", str(machine["platform"])
    yield "frequency governor", str(machine["governor"])
    yield "load before", f"{machine['load']:g}"
    yield "GPU driver", str(machine["gpu_driver"])
    made = f"jan-engine {build['version']}, llama.cpp b{build['llama_cpp_build']}"
    yield "build", f"{made}, {build['compiler']}"
    yield "CPU variant", " ".join([str(build["cpu_variant"]), *build["instructions"]])
    yield "devices", ", ".join(f"{one['name']} ({one['description']})" for one in build["devices"])
    for model in told["models"]:
        size = (
            f"{model['n_bytes'] / 1024**2:,.0f} MiB, {model['bits_per_weight']:g} bits per weight"
        )
        yield "model", f"{model['path'].rpartition('/')[2]}: {model['quantization']}, {size}"
        yield "its sha256", " ".join(model["sha256"])
    yield "repeats", str(told["repeats"])
    yield "warm-up", str(told["warm_up"])
    yield "seed", "" if told["seed"] is None else str(told["seed"])
    yield "cache", str(told["cache_policy"])
    yield "client", str(told["client"])
    yield "clock", str(told["clock"])
    for name, value in told["flags"].items():
        yield name.replace("_", " "), _plain(value)


def _plain(value: object) -> str:
    if isinstance(value, dict):
        inner = cast("dict[str, object]", value)
        said = {name: _plain(one) for name, one in inner.items()}
        return ", ".join(f"{name} {text}" for name, text in said.items() if text)
    if isinstance(value, list):
        return ", ".join(_plain(one) for one in cast("list[object]", value))
    return "" if value is None else str(value)


def _all_circumstances(results: Results) -> Iterator[dict[str, Any]]:
    for row in results.serve:
        if told := of_ours(row, "circumstances"):
            yield told
    for row in results.engine:
        if told := row.get("circumstances"):
            yield told


def _model(row: Row) -> str:
    return str(row.get("model_filename", "")).rpartition("/")[2].removesuffix(".gguf")


def _number(value: float) -> str:
    if value >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
