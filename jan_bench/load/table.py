"""Results as a person reads them at a terminal."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from jan_bench.load.repeats import by_load, spread_of_repeats

__all__ = ["load_text", "markdown", "print_result", "print_summary"]

_NAMES = {
    "ttft": "First token (TTFT)",
    "ttat": "First of the answer",
    "tpot": "Per token after it (TPOT)",
    "itl": "Between frames (ITL)",
    "e2el": "End to end (E2EL)",
}


def print_result(console: Console, result: dict[str, Any]) -> None:
    """One point in full."""
    console.print(_figures(result))
    console.print(_latencies(result))
    for warning in result["jan_bench"]["warnings"]:
        console.print(Text(f"warning: {warning}", style="yellow"))


def print_summary(console: Console, results: Sequence[dict[str, Any]]) -> None:
    """Several points side by side: of repeats the medians, and the least and most throughput."""
    head, rows = _summary(results)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for i, name in enumerate(head):
        table.add_column(name, justify="right" if i else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def markdown(results: Sequence[dict[str, Any]]) -> str:
    head, rows = _summary(results)
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _figures(result: dict[str, Any]) -> RenderableType:
    ours = result["jan_bench"]
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    table.add_column(style="dim")
    failed = result["failed"]
    table.add_row("Successful requests", str(result["completed"]), _of(result))
    if failed:
        kinds = [f"{n} {kind}" for kind, n in ours["errors_by_kind"].items()]
        if ours["incomplete"]:
            kinds.append(f"{ours['incomplete']} incomplete")
        table.add_row(Text("Failed requests", "red"), Text(str(failed), "red"), ", ".join(kinds))
    table.add_row("Duration", _number(result["duration"]), "s")
    cached = ours["cached_input_tokens"]
    from_cache = f", {cached} of them cached" if cached else ""
    table.add_row("Input tokens", str(result["total_input_tokens"]), f"in all{from_cache}")
    table.add_row("Output tokens", str(result["total_output_tokens"]), "in all")
    table.add_row("Request throughput", _number(result["request_throughput"]), "requests/s")
    if result["request_goodput"] is not None:
        within = ", ".join(f"{name} ≤ {most:g} ms" for name, most in ours["goodput"].items())
        table.add_row("Goodput", _number(result["request_goodput"]), f"requests/s with {within}")
    table.add_row(
        Text("Output throughput", "bold"),
        Text(_number(result["output_throughput"]), "bold"),
        f"tokens/s, {_number(result['max_output_tokens_per_s'])} in the best second",
    )
    table.add_row(
        "Total throughput", _number(result["total_token_throughput"]), "tokens/s, in + out"
    )
    table.add_row("Peak concurrency", str(result["max_concurrent_requests"]), "requests")
    client = ours["client"]
    table.add_row("Client", f"{client['cpu_share']:.0%}", "of a core")
    title = Text(f"{result['model_id']} · {load_text(result)}", style="bold cyan")
    return Group(title, table)


def _of(result: dict[str, Any]) -> str:
    ours = result["jan_bench"]
    text = f"of {result['num_prompts']}"
    if ours["interrupted"]:
        text += f", interrupted with {ours['cancelled']} on their way"
    return text


def _latencies(result: dict[str, Any]) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("milliseconds", no_wrap=True)
    for name in ("mean", "median", "std", "p90", "p95", "p99"):
        table.add_column(name, justify="right", no_wrap=True, min_width=6)
    for name, text in _NAMES.items():
        of = result["jan_bench"] if name == "ttat" else result
        if f"mean_{name}_ms" in of:
            kinds = ("mean", "median", "std", "p90", "p95", "p99")
            table.add_row(text, *(_number(of[f"{kind}_{name}_ms"]) for kind in kinds))
    return table


def _summary(results: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    has_goodput = any(result["request_goodput"] is not None for result in results)
    has_failed = any(result["failed"] for result in results)
    head = ["load", "ok", *(["failed"] if has_failed else []), "req/s", "tok/s"]
    head += ["TTFT p50", "p99", "TPOT p50", "p99", "ITL p99", "E2EL p50"]
    head += ["goodput"] if has_goodput else []
    rows: list[list[str]] = []
    for repeats in by_load(results):
        row = [load_text(repeats[0]), str(sum(one["completed"] for one in repeats))]
        row += [str(sum(one["failed"] for one in repeats))] if has_failed else []
        row += [_median(repeats, "request_throughput"), _between(repeats, "output_throughput")]
        for name in ("p50_ttft", "p99_ttft", "p50_tpot", "p99_tpot", "p99_itl", "p50_e2el"):
            row.append(_median(repeats, f"{name}_ms"))
        if has_goodput:
            row.append(_median(repeats, "request_goodput"))
        rows.append(row)
    return head, rows


def _median(repeats: Sequence[dict[str, Any]], name: str) -> str:
    return _number(statistics.median(one[name] or 0.0 for one in repeats))


def _between(repeats: Sequence[dict[str, Any]], name: str) -> str:
    """With the least and the most, where it was measured several times."""
    if len(repeats) == 1:
        return _number(repeats[0][name])
    spread = spread_of_repeats([one[name] for one in repeats])
    ends = f"{_number(spread['least'])} to {_number(spread['most'])}"
    return f"{_number(spread['median'])} ({ends})"


def load_text(result: dict[str, Any]) -> str:
    if result["max_concurrency"] is not None:
        return f"{result['max_concurrency']} at once"
    rate = result["request_rate"]
    return "all at once" if rate == "inf" else f"{rate:g} requests/s"


def _number(value: float) -> str:
    """Three digits that mean something, and no more than two after the point."""
    if value >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
