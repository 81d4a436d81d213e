"""The flags of `jan bench engine`, which are llama-bench's where it has them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Protocol

from jan_bench.cli.named_model import FindModel
from jan_bench.engine.grid import EngineGrid
from jan_bench.engine.lists import parse_numbers, parse_words
from jan_bench.engine.roofline import RooflineGrid
from jan_bench.engine.runs import Patience
from jan_bench.quality.sides import CACHE_TYPES, FLASH
from jan_engine.errors import InvalidRequest

__all__ = ["engine_parser", "grid_of", "patience_of", "roofline_grid_of"]

_CACHES = {name: name for name in CACHE_TYPES}
_SWITCH = {"0": False, "1": True, "off": False, "on": True}


def engine_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jan bench engine",
        description="How fast a model reads prompts (pp) and generates (tg): llama-bench's "
        "tests in this engine, in its columns. Options take several values, as 1,2,4 or 128-512*2 "
        "or given several times; each combination is a test.",
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="a file, or a model's name")
    grid = parser.add_argument_group("what is timed")
    _add(grid, "-m", "--model", text="the same as MODEL; several with commas")
    _add(grid, "-p", "--n-prompt", text="tokens of a prompt (512; 0: none)")
    _add(grid, "-n", "--n-gen", text="tokens generated (128; 0: none)")
    grid.add_argument("-pg", action="append", default=[], metavar="PP,TG", help="both in turn")
    _add(grid, "-d", "--n-depth", text="tokens that are in the cache already (0)")
    _add(grid, "-np", "--n-parallel", text="so many streams at once: llama-batched-bench's columns")
    settings = parser.add_argument_group("settings")
    _add(settings, "-b", "--batch-size", text="tokens that llama.cpp is handed at once (2048)")
    _add(settings, "-ub", "--ubatch-size", text="of these, in one pass (512)")
    _add(settings, "-t", "--threads", text="(one per physical core)")
    _add(settings, "-ctk", "--cache-type-k", text=f"{', '.join(CACHE_TYPES)} (f16)")
    _add(settings, "-ctv", "--cache-type-v", text="the same (f16)")
    _add(settings, "-fa", "--flash-attn", text="on, off, auto (auto)")
    _add(settings, "-ngl", "--n-gpu-layers", text="-1: all that fit (-1)")
    _add(settings, "--poll", text="how long threads watch before they sleep, 0 to 100 (1)")
    _add(settings, "--jan-kernels", text="1 our matrix kernels, 0 upstream's (1)")
    settings.add_argument(
        "--no-jan-kernels",
        dest="jan_kernels",
        action="append_const",
        const="0",
        help="upstream's, as llama-bench has",
    )
    roof = parser.add_argument_group(
        "matrix kernels alone, without a model: ours and upstream's against the machine's limits"
    )
    roof.add_argument("--roofline", action="store_true", help="time products; of the above, -t")
    _add(roof, "--types", text=f"of weights ({', '.join(RooflineGrid().types)})")
    _add(roof, "--columns", text="of activations: tokens, or streams, of a pass (1 to 256)")
    roof.add_argument("--width", type=_at_least_one, metavar="N", help="weights of a row (2048)")
    roof.add_argument("--rows", type=_at_least_one, metavar="N", help="(49152: from memory)")
    how = parser.add_argument_group("how often, and where to")
    how.add_argument(
        "-r",
        "--repetitions",
        type=_at_least_one,
        metavar="N",
        help="of each test (5, and more while all are done in less than ten seconds)",
    )
    how.add_argument("--no-warmup", action="store_true", help="time the first run too")
    how.add_argument("--delay", type=float, default=0, metavar="S", help="between tests (0)")
    how.add_argument("--seed", type=int, default=1, metavar="N", help="of the random tokens (1)")
    how.add_argument("--no-hash", dest="hashed", action="store_false", help="leave out the sha256")
    how.add_argument("--progress", action="store_true", help="say on stderr what is being timed")
    how.add_argument("-o", "--output", choices=("md", "json", "jsonl", "csv", "sql"), default="md")
    how.add_argument("--save", type=Path, metavar="FILE", help="all of it as JSON, too")
    how.add_argument("--db", type=Path, metavar="FILE", help="and into this SQLite file")
    return parser


def patience_of(asked: argparse.Namespace) -> Patience:
    """Of what was left open, as many repeats as tell a machine's drift from a test's result."""
    return Patience() if asked.repetitions is None else Patience(asked.repetitions, 0)


def grid_of(asked: argparse.Namespace, find_model: FindModel) -> EngineGrid:
    """Raises InvalidRequest."""
    names = [*asked.models, *(name for given in asked.model for name in given.split(","))]
    if not names:
        raise InvalidRequest("model: there is none to time")
    return EngineGrid(
        models=[str(find_model(name)) for name in names],
        n_prompt=parse_numbers("n-prompt", asked.n_prompt or ["512"]),
        n_gen=parse_numbers("n-gen", asked.n_gen or ["128"]),
        n_prompt_gen=[_pair(text) for text in asked.pg],
        n_depth=parse_numbers("n-depth", asked.n_depth or ["0"]),
        n_streams=parse_numbers("n-parallel", asked.n_parallel, least=1)
        if asked.n_parallel
        else (),
        n_batch=parse_numbers("batch-size", asked.batch_size or ["2048"], least=1),
        n_ubatch=parse_numbers("ubatch-size", asked.ubatch_size or ["512"], least=1),
        type_k=parse_words("cache-type-k", asked.cache_type_k or ["f16"], _CACHES),
        type_v=parse_words("cache-type-v", asked.cache_type_v or ["f16"], _CACHES),
        n_threads=parse_numbers("threads", asked.threads or ["0"]),
        n_gpu_layers=parse_numbers("n-gpu-layers", asked.n_gpu_layers or ["-1"], least=-1),
        flash_attn=parse_words("flash-attn", asked.flash_attn or ["auto"], FLASH),
        poll=parse_numbers("poll", asked.poll or ["1"]),
        jan_kernels=parse_words("jan-kernels", asked.jan_kernels or ["1"], _SWITCH),
    )


def roofline_grid_of(asked: argparse.Namespace) -> RooflineGrid:
    """Raises InvalidRequest."""
    usual = RooflineGrid()
    if asked.models or asked.model:
        raise InvalidRequest("model: --roofline times products of its own")
    types = [text.strip() for text in ",".join(asked.types).split(",") if text.strip()]
    return RooflineGrid(
        types=types or usual.types,
        n_columns=parse_numbers("columns", asked.columns, least=1)
        if asked.columns
        else usual.n_columns,
        width=asked.width or usual.width,
        n_rows=asked.rows or usual.n_rows,
        n_threads=parse_numbers("threads", asked.threads or ["0"]),
    )


class _HasFlags(Protocol):
    """A parser, or a group of one."""

    def add_argument(self, *names: str, **how: Any) -> object: ...  # noqa: ANN401 - as it has it


def _add(group: _HasFlags, *names: str, text: str) -> None:
    group.add_argument(*names, action="append", default=[], metavar="LIST", help=text)


def _pair(text: str) -> tuple[int, int]:
    numbers = parse_numbers("pg", [text])
    if len(numbers) != 2:
        raise InvalidRequest(f"pg: {text!r} is not two numbers, as in 512,128")
    return numbers[0], numbers[1]


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number
