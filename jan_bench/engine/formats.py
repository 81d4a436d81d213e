"""Results as llama-bench prints them, to the byte but for what it says of itself.

json and jsonl rows have one field more, `circumstances`, at their end; programs that read
llama-bench's skip what they do not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Protocol

import msgspec

from jan_bench.circumstances import Circumstances
from jan_bench.engine.grid import EngineGrid
from jan_bench.engine.markdown import MarkdownTable
from jan_bench.engine.row import BOOLEANS, TEXTS, Row, backends, commit, llama_bench_row
from jan_bench.engine.runs import EngineResult, resolved
from jan_bench.store import LLAMA_BENCH_COLUMNS

__all__ = ["FORMATS", "Output", "json_row"]


class Output(Protocol):
    """Text to write before all results, after each, and at the end."""

    def head(self) -> str: ...
    def row(self, result: EngineResult) -> str: ...
    def foot(self) -> str: ...


class _Of:
    def __init__(self, under: Circumstances, grid: EngineGrid) -> None:
        self.under = under
        self.grid = grid
        self.n_rows = 0

    def head(self) -> str:
        return ""

    def foot(self) -> str:
        return ""

    def fields(self, result: EngineResult) -> Row:
        self.n_rows += 1
        return llama_bench_row(result, self.under.build)


class _Json(_Of):
    def head(self) -> str:
        return "[\n"

    def row(self, result: EngineResult) -> str:
        before = ",\n" if self.n_rows else ""
        fields = _json_fields(self.fields(result), result, self.under)
        lines = ",\n".join(f"    {field}" for field in fields)
        return f"{before}  {{\n{lines}\n  }}"

    def foot(self) -> str:
        return "\n]\n"


class _JsonLines(_Of):
    def row(self, result: EngineResult) -> str:
        return json_row(result, self.under) + "\n"


class _Csv(_Of):
    def head(self) -> str:
        return ",".join(LLAMA_BENCH_COLUMNS) + "\n"

    def row(self, result: EngineResult) -> str:
        quoted = (value.replace('"', '""') for value in self.fields(result).values())
        return ",".join(f'"{value}"' for value in quoted) + "\n"


class _Sql(_Of):
    def head(self) -> str:
        columns = ",\n".join(f"  {name} {kind}" for name, kind in LLAMA_BENCH_COLUMNS.items())
        return f"CREATE TABLE IF NOT EXISTS llama_bench (\n{columns}\n);\n\n"

    def row(self, result: EngineResult) -> str:
        quoted = (value.replace("'", "''") for value in self.fields(result).values())
        values = ", ".join(f"'{value}'" for value in quoted)
        return f"INSERT INTO llama_bench ({', '.join(LLAMA_BENCH_COLUMNS)}) VALUES ({values});\n"


class _Markdown(_Of):
    def __init__(self, under: Circumstances, grid: EngineGrid) -> None:
        super().__init__(under, grid)
        self.table = MarkdownTable(grid, backends(under.build))

    def head(self) -> str:
        return self.table.head()

    def row(self, result: EngineResult) -> str:
        return self.table.row(result, self.fields(result))

    def foot(self) -> str:
        ours = any(self.grid.jan_kernels)
        build = self.under.build
        return f"\nbuild: {commit(build, jan_kernels=ours)} ({build.llama_cpp_build})\n"


FORMATS: dict[str, Callable[[Circumstances, EngineGrid], Output]] = {
    "md": _Markdown,
    "json": _Json,
    "jsonl": _JsonLines,
    "csv": _Csv,
    "sql": _Sql,
}


def json_row(result: EngineResult, under: Circumstances) -> str:
    fields = _json_fields(llama_bench_row(result, under.build), result, under)
    *others, samples_ts, told = fields
    return "{" + ", ".join(others) + f",{samples_ts}, {told}" + "}"


def _json_fields(row: Row, result: EngineResult, under: Circumstances) -> list[str]:
    fields = [f'"{name}": {_json_value(name, value)}' for name, value in row.items()]
    samples_ns = ", ".join(str(ns) for ns in result.samples_ns)
    samples_ts = ", ".join(f"{ts:g}" for ts in result.samples_ts)
    circumstances = msgspec.json.encode(resolved(under, [result])).decode()
    return [
        *fields,
        f'"samples_ns": [ {samples_ns} ]',
        f'"samples_ts": [ {samples_ts} ]',
        f'"circumstances": {circumstances}',
    ]


def _json_value(name: str, value: str) -> str:
    if name in BOOLEANS:
        return "false" if value == "0" else "true"
    return json.dumps(value, ensure_ascii=False) if name in TEXTS else value
