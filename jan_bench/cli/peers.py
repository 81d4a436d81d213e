"""`jan bench peers`: our server beside upstream's, under the same load, in turns."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jan_bench.cli.load_flags import number_list
from jan_bench.cli.named_model import FindModel
from jan_bench.load.calibration import scale_of
from jan_bench.model_file import ModelFile, read_model_file
from jan_bench.output import write_out
from jan_bench.peers.from_pypi import REQUIREMENTS, FromPypi, install
from jan_bench.peers.programs import find_programs
from jan_bench.peers.table import markdown
from jan_bench.peers.turns import Match, Results
from jan_bench.result_folder import ResultFolder
from jan_bench.results import of_ours
from jan_engine import Model
from jan_engine.errors import InvalidRequest, Unavailable

__all__ = ["run"]


def run(arguments: list[str], find_model: FindModel) -> int:
    """130 where it was interrupted, having told what there was."""
    asked = _parser().parse_args(arguments)
    for name in ("rounds", "requests", "input_len", "output_len", "threads"):
        if getattr(asked, name) < 1:
            raise InvalidRequest(f"{name}: must be at least 1")
    n_streams = list(dict.fromkeys(number_list(asked.concurrency, "concurrency", int)))
    packages = _packages(asked.also)
    path = find_model(asked.model)
    model = read_model_file(path, hashed=asked.hashed)
    folder = ResultFolder(asked.out, "peers", _plan(asked, model)) if asked.out else None
    programs = find_programs(asked.checkout, build=asked.build)
    others = _installed(packages, asked.checkout)
    found = Match(
        model=model,
        path=path,
        programs=programs,
        others=others,
        n_input=asked.input_len,
        n_output=asked.output_len,
        n_threads=asked.threads,
        n_rounds=asked.rounds,
        n_per_stream=asked.requests,
        seed=asked.seed,
        scale=scale_of(Model(path, vocab_only=True).tokenize, str(asked.seed)),
        folder=folder,
        say=_say,
    ).run(n_streams)
    write_out(_told(found, asked), None)
    return 0 if all(len(of.ceilings) == asked.rounds for of in found.values()) else 130


def _packages(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in REQUIREMENTS:
            raise InvalidRequest(f"also: {name!r} is not one of {', '.join(REQUIREMENTS)}")
    return names


def _installed(packages: Sequence[str], checkout: Path) -> list[FromPypi]:
    """Those that can be had. Of the others it is said why not."""
    found: list[FromPypi] = []
    for package in packages:
        try:
            found.append(install(package, checkout))
        except Unavailable as error:
            _say(f"note: {package} is left out: {error}")
    return found


def _plan(asked: argparse.Namespace, model: ModelFile) -> dict[str, Any]:
    names = ("input_len", "output_len", "requests", "threads", "seed")
    return {"model": model.sha256 or model.path} | {name: getattr(asked, name) for name in names}


def _told(found: dict[int, Results], asked: argparse.Namespace) -> str:
    rows = [row for of in found.values() for of_one in of.rows.values() for row in of_one]
    failed = sum(row["failed"] for row in rows)
    shares = [of_ours(row, "others") for row in rows]
    shares += [row.get("others") for of in found.values() for row in of.ceilings]
    known = [share for share in shares if share is not None]
    others = f"; others had at most {max(known):.0%} of the cores in a turn" if known else ""
    return (
        f"{markdown(found)}\n{asked.requests} requests for each stream and round, of "
        f"{asked.input_len} tokens in and {asked.output_len} out, {asked.threads} threads; medians "
        f"(least to most) of {asked.rounds} interleaved rounds; {failed} failed{others}.\n"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jan bench peers",
        description="Builds llama-server and llama-batched-bench from the llama.cpp that a "
        "checkout pins, and asks our server, upstream's as it comes and upstream's at its best the "
        "same questions, in turns. The ceiling is upstream's kernels with nothing around them.",
    )
    parser.add_argument("-m", "--model", required=True, help="a file, or a model's name")
    parser.add_argument("--checkout", type=Path, default=Path(), metavar="FOLDER", help="(here)")
    parser.add_argument("--build", action="store_true", help="build the programs again")
    parser.add_argument(
        "--also",
        default="",
        metavar="NAME,...",
        help=f"servers from PyPI, installed where they are not: {', '.join(REQUIREMENTS)}",
    )
    parser.add_argument("-c", "--concurrency", default="8", metavar="N,...", help="at once (8)")
    parser.add_argument(
        "-n", "--requests", type=int, default=4, metavar="N", help="of each stream, a round (4)"
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="(3)")
    parser.add_argument("--input-len", type=int, default=128, metavar="N", help="tokens (128)")
    parser.add_argument("--output-len", type=int, default=64, metavar="N", help="tokens (64)")
    parser.add_argument("-t", "--threads", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--seed", type=int, default=0, help="of the prompts")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="a file for every turn, for plot; started again it goes on where it was",
    )
    parser.add_argument("--no-hash", dest="hashed", action="store_false")
    return parser
