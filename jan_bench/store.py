"""Results in a SQLite file, where llama-bench's own join them.

`llama-bench -o sql | sqlite3 FILE` fills the table llama_bench; so do we, before or after.
What it has no columns for is in the table jan_bench: a row per result, with its circumstances.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from jan_bench.circumstances import Circumstances
from jan_engine.errors import InvalidRequest, WriteFailed

__all__ = ["LLAMA_BENCH_COLUMNS", "StoredResult", "add_results"]

# As upstream's sql_printer writes them, in its order.
LLAMA_BENCH_COLUMNS = {
    "build_commit": "TEXT",
    "build_number": "INTEGER",
    "cpu_info": "TEXT",
    "gpu_info": "TEXT",
    "backends": "TEXT",
    "model_filename": "TEXT",
    "model_type": "TEXT",
    "model_size": "INTEGER",
    "model_n_params": "INTEGER",
    "n_batch": "INTEGER",
    "n_ubatch": "INTEGER",
    "n_threads": "INTEGER",
    "cpu_mask": "TEXT",
    "cpu_strict": "INTEGER",
    "poll": "INTEGER",
    "type_k": "TEXT",
    "type_v": "TEXT",
    "n_gpu_layers": "INTEGER",
    "n_cpu_moe": "INTEGER",
    "split_mode": "TEXT",
    "main_gpu": "INTEGER",
    "no_kv_offload": "INTEGER",
    "flash_attn": "INTEGER",
    "devices": "TEXT",
    "tensor_split": "TEXT",
    "tensor_buft_overrides": "TEXT",
    "load_mode": "TEXT",
    "lazy_mode": "TEXT",
    "embeddings": "INTEGER",
    "no_op_offload": "INTEGER",
    "no_host": "INTEGER",
    "repack": "INTEGER",
    "fit_target": "INTEGER",
    "fit_min_ctx": "INTEGER",
    "n_prompt": "INTEGER",
    "n_gen": "INTEGER",
    "n_depth": "INTEGER",
    "test_time": "TEXT",
    "avg_ns": "INTEGER",
    "stddev_ns": "INTEGER",
    "avg_ts": "REAL",
    "stddev_ts": "REAL",
}

_OURS = """\
CREATE TABLE IF NOT EXISTS jan_bench (
  id INTEGER PRIMARY KEY,
  command TEXT NOT NULL,
  at TEXT NOT NULL,
  version TEXT NOT NULL,
  model_filename TEXT,
  model_sha256 TEXT,
  quantization TEXT,
  bits_per_weight REAL,
  llama_bench_rowid INTEGER,
  circumstances TEXT NOT NULL,
  result TEXT NOT NULL
)"""


class StoredResult(msgspec.Struct, frozen=True, kw_only=True):
    result: Mapping[str, Any]  # everything, as --output json has it
    model: str = ""  # the path of the model in `circumstances` that it is about
    llama_bench: Mapping[str, str | int | float] | None = None  # the same as a row of that table


def add_results(path: Path, under: Circumstances, results: Sequence[StoredResult]) -> None:
    """All of them or none. Raises WriteFailed, and InvalidRequest for what is no such file."""
    try:
        with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            _create(connection)
            for result in results:
                _add(connection, under, result)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # no room, no right, somebody's lock
            failed = WriteFailed(f"cannot write {path}: {error}")
            failed.path = str(path)
            raise failed from error
        raise InvalidRequest(f"db: {path} is not a file of results: {error}") from error


def _create(connection: sqlite3.Connection) -> None:
    columns = ",\n  ".join(f"{name} {kind}" for name, kind in LLAMA_BENCH_COLUMNS.items())
    connection.execute(f"CREATE TABLE IF NOT EXISTS llama_bench (\n  {columns}\n)")
    connection.execute(_OURS)


def _add(connection: sqlite3.Connection, under: Circumstances, result: StoredResult) -> None:
    rowid = None
    if result.llama_bench is not None:
        # Another version of llama-bench may have made the table; ours has everything.
        known = {row[1] for row in connection.execute("PRAGMA table_info(llama_bench)")}
        row = {name: value for name, value in result.llama_bench.items() if name in known}
        rowid = _insert(connection, "llama_bench", row)
    model = next((one for one in under.models if one.path == result.model), None)
    ours: dict[str, Any] = {
        "command": under.command,
        "at": under.at,
        "version": under.build.version,
        "model_filename": model.path if model else None,
        "model_sha256": " ".join(model.sha256) if model else None,
        "quantization": model.quantization if model else None,
        "bits_per_weight": model.bits_per_weight if model else None,
        "llama_bench_rowid": rowid,
        "circumstances": msgspec.json.encode(under).decode(),
        "result": msgspec.json.encode(result.result).decode(),
    }
    _insert(connection, "jan_bench", ours)


def _insert(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int | None:
    names, places = ", ".join(row), ", ".join("?" * len(row))
    statement = f"INSERT INTO {table} ({names}) VALUES ({places})"
    return connection.execute(statement, tuple(row.values())).lastrowid
