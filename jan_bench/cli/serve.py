"""`jan bench serve`: a server under load, as its callers see it."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from jan_bench.circumstances import Circumstances, circumstances
from jan_bench.cli.load_flags import add_load_flags, endpoint_from, load_from, parse_all
from jan_bench.cli.named_model import FindModel
from jan_bench.load.endpoint import Endpoint
from jan_bench.load.measure import Load, Measured, Point, measure, run_in_loop
from jan_bench.load.own_server import OwnServer
from jan_bench.load.repeats import add_spread
from jan_bench.load.result import file_name, result_of, without_details
from jan_bench.load.server_facts import server_facts
from jan_bench.load.table import load_text, markdown, print_result, print_summary
from jan_bench.model_file import ModelFile, read_model_file
from jan_bench.output import write_out
from jan_bench.store import StoredResult, add_results
from jan_engine.errors import InvalidRequest, Unavailable

__all__ = ["run"]


def run(arguments: list[str], find_model: FindModel) -> int:
    """4 where no request was answered; 130 where it was interrupted, having told what there was."""
    asked, of_server = parse_all(_parser(), arguments)
    if asked.repeats < 1:
        raise InvalidRequest("repeats: must be at least 1")
    load = msgspec.structs.replace(load_from(asked), n_repeats=asked.repeats)
    if asked.url is None and asked.model is None:
        raise InvalidRequest("model: which one? Or give the --url of a server")
    if asked.url is not None and of_server:
        raise InvalidRequest(f"url: that server was started already; {of_server} comes too late")
    with _served(asked, load, of_server, find_model) as (endpoint, models):
        began = circumstances(
            "serve",
            models=models,
            flags=_resolved(asked, load, endpoint, of_server),
            repeats=load.n_repeats,
            warm_up=f"{load.n_warmup} requests before each point",
            seed=load.seed,
            cache_policy=load.cache_policy,
            computes=False,
        )
        if asked.db is not None:
            add_results(asked.db, began, [])  # what cannot be kept is not measured
        results: list[dict[str, Any]] = []
        shown = _Shown(asked, load, endpoint, began, results)
        on_progress = shown.progress if sys.stderr.isatty() else None
        was_whole = run_in_loop(measure(endpoint, load, shown.point, on_progress))
    shown.end()
    if asked.db is not None:
        rows = [
            StoredResult(result=one, model=began.models[0].path if models else "")
            for one in results
        ]
        add_results(asked.db, began, rows)
    if not was_whole:
        return 130
    if not any(one["completed"] for one in results):
        raise Unavailable("not one request was answered", _first_error(results))
    return 0


class _Shown:
    """What a person, or a program, is told of every point."""

    def __init__(
        self,
        asked: argparse.Namespace,
        load: Load,
        endpoint: Endpoint,
        began: Circumstances,
        results: list[dict[str, Any]],
    ) -> None:
        self._asked, self._load, self._endpoint, self._began = asked, load, endpoint, began
        self._results = results
        # A file has no width: nothing is cut there.
        width = None if sys.stdout.isatty() else 120
        self._console = Console(highlight=False, width=width)

    def progress(self, point: Point, n: int, n_ended: int) -> None:
        print(f"\r{point}: {n_ended} of {n} \x1b[K", end="", file=sys.stderr, flush=True)

    def point(self, measured: Measured) -> None:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        asked = self._asked
        whole = result_of(measured, self._load, self._endpoint, self._began, label=asked.label)
        result = whole if asked.save_detailed else without_details(whole)
        self._results.append(result)
        self._save(result)
        if asked.output == "table":
            print_result(self._console, result)
        elif asked.output == "jsonl":
            write_out(msgspec.json.encode(result).decode() + "\n", None)

    def end(self) -> None:
        results = self._results
        if self._load.n_repeats > 1:  # only now is it known how far apart they are
            add_spread(results)
            for result in results:
                self._save(result)
        if self._asked.output == "table" and len(results) > 1:
            print_summary(self._console, results)
        elif self._asked.output == "md":
            write_out(markdown(results), None)
        elif self._asked.output == "json":
            write_out(_json(results[0] if len(results) == 1 else results) + "\n", None)

    def _save(self, result: dict[str, Any]) -> None:
        asked = self._asked
        if asked.save_result or asked.save_detailed or asked.result_dir or asked.result_filename:
            write_out(_json(result) + "\n", self._path(result))

    def _path(self, result: dict[str, Any]) -> Path:
        """A name that was given is one file: of several points or repeats, each has its own."""
        given: Path | None = self._asked.result_filename
        name = given or Path(file_name(result))
        if given is not None and len(self._load.points) > 1:
            point = load_text(result).replace(" ", "-").replace("/", "-per-")
            name = given.with_name(f"{given.stem}-{point}{given.suffix or '.json'}")
        repeat = result["jan_bench"]["repeat"]
        if given is not None and repeat > 1:
            name = name.with_name(f"{name.stem}-repeat{repeat}{name.suffix or '.json'}")
        folder: Path | None = self._asked.result_dir
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            name = folder / name
        return name


@contextlib.contextmanager
def _served(
    asked: argparse.Namespace, load: Load, of_server: list[str], find_model: FindModel
) -> Generator[tuple[Endpoint, list[ModelFile]]]:
    """The server that was named, or one of our own with the model that was."""
    if asked.url is not None:
        yield endpoint_from(asked, asked.url, asked.model), []
        return
    path = find_model(asked.model)
    models = [read_model_file(path, hashed=asked.hashed)]
    most = max((point.concurrency or 8 for point in load.points), default=8)
    flags = (
        of_server if _has(of_server, "--parallel", "-np") else ["--parallel", str(most), *of_server]
    )
    with OwnServer(path, flags, alias=Path(asked.model).stem) as server:
        yield endpoint_from(asked, server.url, server.model), models


def _has(flags: list[str], *names: str) -> bool:
    return any(flag.partition("=")[0] in names for flag in flags)


def _resolved(
    asked: argparse.Namespace, load: Load, endpoint: Endpoint, of_server: list[str]
) -> dict[str, Any]:
    """All that decided the figures. Keys and headers stay out of it."""
    return {
        "url": asked.url or "",
        "api": endpoint.api,
        "model": endpoint.model,
        "ignore_eos": endpoint.ignore_eos,
        "fields": dict(endpoint.further),
        "dataset": msgspec.to_builtins(load.dataset, enc_hook=str),
        "points": [str(point) for point in load.points],
        "burstiness": load.burstiness,
        "timeout_s": load.timeout_s,
        "server": of_server,
        "server_says": server_facts(endpoint),
    }


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode()


def _first_error(results: list[dict[str, Any]]) -> str:
    kinds = {kind for one in results for kind in one["jan_bench"]["errors_by_kind"]}
    return ", ".join(sorted(kinds)) or "every answer broke off"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jan bench serve",
        description="Asks a server as many callers would, and tells when their tokens came. "
        "Without --url it serves the model itself, in a process of its own; what follows -- are "
        "flags of that `jan serve`.",
        epilog="Flags, definitions and JSON are those of vLLM's `bench serve` where it has them.",
    )
    add_load_flags(parser)
    parser.add_argument(
        "--repeats", type=int, default=1, metavar="N", help="all of it so often, for the spread"
    )
    saved = parser.add_argument_group("what is kept")
    saved.add_argument(
        "-o",
        "--output",
        choices=("table", "md", "json", "jsonl"),
        default="table",
        help="on stdout",
    )
    saved.add_argument(
        "--save-result", action="store_true", help="a JSON file per point, as vLLM's"
    )
    saved.add_argument(
        "--save-detailed", action="store_true", help="with the times of every request"
    )
    saved.add_argument("--result-dir", type=Path, metavar="FOLDER", help="where they go")
    saved.add_argument("--result-filename", type=Path, metavar="FILE", help="what they are called")
    saved.add_argument("--label", default="", help="a word of yours, in the file and its name")
    saved.add_argument("--db", type=Path, metavar="FILE", help="a SQLite file they are added to")
    saved.add_argument(
        "--no-hash", dest="hashed", action="store_false", help="do not read the model for its hash"
    )
    return parser
