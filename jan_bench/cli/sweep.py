"""`jan bench sweep`: which settings are worth having on this machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

import jan_engine
from jan_bench.cli.load_flags import (
    add_request_flags,
    add_shape_flags,
    endpoint_from,
    load_from,
    number_list,
    parse_all,
)
from jan_bench.cli.named_model import FindModel
from jan_bench.load.endpoint import Endpoint
from jan_bench.load.measure import Point
from jan_bench.model_file import read_model_file
from jan_bench.output import write_out
from jan_bench.plot.chart import pareto_front
from jan_bench.result_folder import ResultFolder
from jan_bench.results import Row, load_name
from jan_bench.sweep.grid import Grid, Setting
from jan_bench.sweep.limits import limit_of
from jan_bench.sweep.run import Sweep
from jan_engine.errors import InvalidRequest

__all__ = ["grid_from", "run", "sweep_parser"]

_CACHE_TYPES = ("f16", "q8_0", "q4_0")


def run(arguments: list[str], find_model: FindModel) -> int:
    """1 where a limit was asked for that no setting keeps under any load."""
    asked, of_server = parse_all(sweep_parser(), arguments)
    asked.url = None
    load = load_from(asked)
    limits = [limit_of(text) for text in asked.sla]
    least, most = _bounds(asked)
    paths = [find_model(name) for text in asked.model for name in text.split(",")]
    plan = {
        "dataset": msgspec.to_builtins(load.dataset, enc_hook=str),
        "num_prompts": load.n_prompts,
        "warmup": load.n_warmup,
        "burstiness": load.burstiness,
        "seed": load.seed,
        "api": asked.api,
        "fields": asked.extra_body,
        "temperature": asked.temperature,
        "server": of_server,
    }
    grid = grid_from(asked, paths)
    folder = ResultFolder(asked.out, "sweep", plan)
    if asked.quant:
        models = _quantized(paths, asked.quant.split(","), asked.out / "models")
        grid = msgspec.structs.replace(grid, models=models)
    files = {str(path): read_model_file(path, hashed=asked.hashed) for path in grid.models}

    def endpoint(url: str, model: str) -> Endpoint:
        return endpoint_from(asked, url, model)

    sweep = Sweep(folder, load, endpoint, files, of_server, _say_point)
    rows: list[Row] = []
    kept: list[tuple[Setting, Point | None]] = []
    try:
        for setting in grid.settings():
            if limits:
                over_rate = asked.sla_over == "rate"
                best, tried = sweep.search(
                    setting, limits, over_rate=over_rate, least=least, most=most
                )
                kept.append((setting, best))
                rows += tried
            else:
                rows += sweep.run(setting)
    except KeyboardInterrupt:
        _tell(rows, asked.output)
        return 130
    _tell(rows, asked.output)
    promise = ", ".join(str(limit) for limit in limits)
    for setting, best in kept:
        load_text = f"up to {best}" if best else "under no load"
        print(f"{setting.name}: {promise} holds {load_text}", file=sys.stderr)
    return 1 if kept and not any(best for _, best in kept) else 0


def _bounds(asked: argparse.Namespace) -> tuple[float, float]:
    least, most = asked.sla_least, asked.sla_most
    if not 0 < least <= most:
        raise InvalidRequest("sla_most: must be at least sla_least, and that above 0")
    if asked.sla_over == "concurrency" and (least % 1 or most % 1):
        raise InvalidRequest("sla_least: of --sla-over concurrency must be whole, sla_most too")
    return least, most


def grid_from(asked: argparse.Namespace, models: Sequence[Path]) -> Grid:
    cache_types: list[str | None] = asked.kv_type.split(",") if asked.kv_type else [None]
    for name in cache_types:
        if name is not None and name not in _CACHE_TYPES:
            raise InvalidRequest(f"kv_type: {name!r} is not one of {', '.join(_CACHE_TYPES)}")
    speculations: list[bool | None] = [None]
    if asked.speculation:
        words = asked.speculation.split(",")
        if not set(words) <= {"on", "off"}:
            raise InvalidRequest("speculation: must be on, off, or on,off")
        speculations = [word == "on" for word in words]
    return Grid(
        models=models,
        cache_types=cache_types,
        slots=_axis(asked.slots, "slots"),
        ubatches=_axis(asked.ubatch, "ubatch"),
        threads=_axis(asked.threads, "threads"),
        speculations=speculations,
    )


def _axis(text: str | None, name: str) -> Sequence[int | None]:
    return [None] if text is None else number_list(text, name, int)


def _quantized(paths: Sequence[Path], types: Sequence[str], folder: Path) -> list[Path]:
    """Every model in every type, made once."""
    unknown = sorted(set(types) - set(jan_engine.quantize_types()))
    if unknown:
        raise InvalidRequest(f"quant: {unknown[0]!r} is no type that can be made")
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for path in paths:
        for name in types:
            target = folder / f"{path.name.removesuffix('.gguf').removesuffix('.F16')}.{name}.gguf"
            if not target.exists():
                print(f"making {target}", file=sys.stderr)
                partial = target.with_suffix(".partial")
                jan_engine.quantize(path, partial, name)
                partial.replace(target)
            made.append(target)
    return made


def _say_point(setting: Setting, point: Point, result: Row, was_there: bool) -> None:
    before = " (measured before)" if was_there else ""
    print(
        f"{setting.name}, {point}: {result['output_throughput']:.1f} tokens/s, "
        f"TTFT p99 {result['p99_ttft_ms']:.0f} ms{before}",
        file=sys.stderr,
        flush=True,
    )


def _tell(rows: Sequence[Row], output: str) -> None:
    """Best first. What is beaten by none in both, throughput and the wait for it, has a star."""
    points = [(row["p99_ttft_ms"], row["output_throughput"]) for row in rows]
    front = set(pareto_front(points, less_x=True))
    order = sorted(range(len(rows)), key=lambda i: -rows[i]["output_throughput"])
    if output == "json":
        told = [
            {
                "pareto": i in front,
                "load": load_name(rows[i]),
                **_setting(rows[i]),
                **_figures(rows[i]),
            }
            for i in order
        ]
        write_out(msgspec.json.format(msgspec.json.encode(told)).decode() + "\n", None)
        return
    varies = [
        name
        for name in (_setting(rows[0]) if rows else {})
        if len({str(_setting(row)[name]) for row in rows}) > 1
    ]
    head = [
        "",
        *(name.replace("_", " ") for name in varies),
        "load",
        "tokens/s",
        "TTFT p99",
        "TPOT p50",
    ]
    lines = [
        [
            "★" if i in front else "",
            *(_short(_setting(rows[i])[name]) for name in varies),
            load_name(rows[i]),
            f"{rows[i]['output_throughput']:.1f}",
            f"{rows[i]['p99_ttft_ms']:.0f} ms",
            f"{rows[i]['median_tpot_ms']:.1f} ms",
        ]
        for i in order
    ]
    if output == "md":
        text = [head, ["---"] * len(head), *lines]
        write_out("".join("| " + " | ".join(line) + " |\n" for line in text), None)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in head:
        is_figure = name in ("tokens/s", "TTFT p99", "TPOT p50")
        table.add_column(name, justify="right" if is_figure else "left", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    width = None if sys.stdout.isatty() else 140
    console = Console(highlight=False, width=width)
    console.print(table)
    console.print(
        "★ beaten by no other in both: tokens per second and the 99th percentile of the wait"
    )


def _setting(row: Row) -> dict[str, Any]:
    setting: dict[str, Any] = row["jan_bench"]["setting"]
    return setting


def _figures(row: Row) -> dict[str, float]:
    names = ("output_throughput", "request_throughput", "p99_ttft_ms", "median_ttft_ms")
    return {name: row[name] for name in (*names, "median_tpot_ms", "p99_itl_ms", "failed")}


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return Path(value).stem if isinstance(value, str) else str(value)


def sweep_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jan bench sweep",
        description="Serves a model with every combination of the settings that were given and "
        "measures each under every load. A point is a file in --out: started again, the sweep goes "
        "on where it was. What follows -- are flags of every `jan serve`.",
    )
    parser.add_argument("-m", "--model", action="append", required=True, metavar="MODEL,...")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="of the points")
    parser.add_argument("-o", "--output", choices=("table", "md", "json"), default="table")
    parser.add_argument("--no-hash", dest="hashed", action="store_false")
    axes = parser.add_argument_group("settings, each a list")
    axes.add_argument("--quant", metavar="TYPE,...", help="made of the models: Q8_0,Q4_K_M")
    axes.add_argument("--kv-type", metavar="TYPE,...", help=", ".join(_CACHE_TYPES))
    axes.add_argument("--slots", metavar="N,...", help="requests side by side")
    axes.add_argument("--ubatch", metavar="N,...", help="tokens of a forward pass")
    axes.add_argument("--threads", metavar="N,...")
    axes.add_argument("--speculation", metavar="on,off")
    sla = parser.add_argument_group(
        "the highest load that keeps a promise, in place of given loads"
    )
    sla.add_argument("--sla", action="append", default=[], metavar="p99_ttft<=500", help="ms")
    sla.add_argument("--sla-over", choices=("concurrency", "rate"), default="concurrency")
    sla.add_argument("--sla-least", type=float, default=1, metavar="N", help="where it begins")
    sla.add_argument("--sla-most", type=float, default=64, metavar="N", help="where it ends")
    add_request_flags(parser.add_argument_group("requests"))
    add_shape_flags(parser)
    return parser
