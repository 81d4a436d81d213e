"""`jan bench compare`: whether B is slower than A, and whether that is more than noise."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import msgspec

from jan_bench.cli.named_model import FindModel
from jan_bench.compare.difference import Difference, difference
from jan_bench.compare.samples import pairs_of
from jan_bench.output import write_out
from jan_bench.results import read_results
from jan_engine.errors import InvalidRequest

__all__ = ["run"]

_MARKS = {"worse": "worse", "better": "better", "same": "the same", "unsure": ""}


def run(arguments: list[str], _find_model: FindModel) -> int:
    """1 where something is worse by more than the tolerance, and surely so."""
    asked = _parser().parse_args(arguments)
    if not 0 < asked.confidence < 1:
        raise InvalidRequest("confidence: must be between 0 and 1")
    if asked.tolerance < 0:
        raise InvalidRequest("tolerance: must not be negative")
    if asked.draws < 100:
        raise InvalidRequest("draws: must be at least 100")
    pairs = pairs_of(read_results([asked.a], "a"), read_results([asked.b], "b"))
    found = [
        one
        for pair in pairs
        if (
            one := difference(
                pair,
                tolerance=asked.tolerance / 100,
                confidence=asked.confidence,
                draws=asked.draws,
                seed=asked.seed,
            )
        )
    ]
    if not found:
        raise InvalidRequest(f"b: {asked.b} has no test, load or text that {asked.a} has too")
    if asked.output == "json":
        write_out(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n", None)
    else:
        write_out(_markdown(found, asked), None)
    if any(not math.isfinite(one.low) for one in found):
        print(
            "note: of single samples nobody knows the spread; "
            "run the bench with --save-detailed, or more repeats",
            file=sys.stderr,
        )
    return 1 if any(one.verdict == "worse" for one in found) else 0


def _markdown(found: list[Difference], asked: argparse.Namespace) -> str:
    head = ["", "figure", "A", "B", "change", f"{asked.confidence:.0%} interval", ""]
    rows = [[_plain(cell) for cell in _cells(one)] for one in found]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    right = {2, 3, 4}
    lines = [_line(head, widths, right)]
    rule = [("-" * (n - 1) + ":") if i in right else "-" * n for i, n in enumerate(widths)]
    lines.append("| " + " | ".join(rule) + " |")
    lines += [_line(row, widths, right) for row in rows]
    return "\n".join(lines) + "\n"


def _cells(one: Difference) -> list[str]:
    interval = (
        f"{one.low:+.1%} … {one.high:+.1%}" if math.isfinite(one.low) else "one sample, no interval"
    )
    name = f"{one.figure}, {one.unit}" if one.unit else one.figure
    mark = _MARKS[one.verdict] if one.may_fail else "too few samples"
    return [one.where, name, _number(one.a), _number(one.b), f"{one.change:+.1%}", interval, mark]


def _plain(text: str) -> str:
    return text.replace("|", "/")


def _line(row: list[str], widths: list[int], right: set[int]) -> str:
    cells = [
        text.rjust(n) if i in right else text.ljust(n)
        for i, (text, n) in enumerate(zip(row, widths, strict=True))
    ]
    return "| " + " | ".join(cells) + " |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jan bench compare",
        description="How B differs from A, with an interval from drawing the samples of both again "
        "and again. Files of `jan bench engine` and llama-bench, of `jan bench serve` and vLLM's "
        "with --save-detailed. Exit status 1 where something is worse, surely and by more than the "
        "tolerance.",
    )
    parser.add_argument("a", type=Path, metavar="A.json", help="as it was")
    parser.add_argument("b", type=Path, metavar="B.json", help="as it is")
    parser.add_argument(
        "--tolerance", type=float, default=3.0, metavar="%", help="that nobody minds (3)"
    )
    parser.add_argument("--confidence", type=float, default=0.95, help="of the interval (0.95)")
    parser.add_argument("--draws", type=int, default=2000, help="(2000)")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("-o", "--output", choices=("md", "json"), default="md")
    return parser
