"""Results in SQLite and in files."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jan_bench.circumstances import circumstances
from jan_bench.model_file import read_model_file
from jan_bench.output import write_out
from jan_bench.store import LLAMA_BENCH_COLUMNS, StoredResult, add_results
from jan_engine.errors import InvalidRequest, WriteFailed
from tests.conftest import ROOT

LLAMA_BENCH = ROOT / "vendor/llama.cpp/tree/tools/llama-bench/llama-bench.cpp"


def upstreams_columns() -> dict[str, str]:
    """As its source has them: in test::get_fields(), typed by get_field_type()."""
    source = LLAMA_BENCH.read_text()
    fields = re.search(r"fields = \{(.*?)\};", source, re.DOTALL)
    kinds = re.search(r"field_type get_field_type\(.*?\n    \}\n", source, re.DOTALL)
    assert fields
    assert kinds
    named = {
        name: sql
        for block, sql in zip(
            re.split(r"return (?:INT|BOOL|FLOAT|STRING);", kinds[0])[:3],
            ("INTEGER", "INTEGER", "REAL"),
            strict=True,
        )
        for name in re.findall(r'"(\w+)"', block)
    }
    return {name: named.get(name, "TEXT") for name in re.findall(r'"(\w+)"', fields[1])}


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_the_table_is_the_one_that_llama_bench_makes() -> None:
    assert list(LLAMA_BENCH_COLUMNS.items()) == list(upstreams_columns().items())


def test_results_join_those_of_llama_bench(tmp_path: Path, random_path: Path) -> None:
    path = tmp_path / "results.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        # An older llama-bench: it knows fewer columns.
        connection.execute("CREATE TABLE llama_bench (model_filename TEXT, avg_ts REAL)")
        connection.execute("INSERT INTO llama_bench VALUES ('theirs.gguf', 10)")
    model = read_model_file(random_path)
    under = circumstances("engine", models=[model], flags={"threads": 2})
    row: dict[str, str | int | float] = {"model_filename": model.path, "avg_ts": 11.5, "n_depth": 7}
    add_results(path, under, [StoredResult(result={"pp": 1}, model=model.path, llama_bench=row)])
    assert rows(path, "SELECT * FROM llama_bench") == [("theirs.gguf", 10), (model.path, 11.5)]
    joined = rows(
        path,
        "SELECT avg_ts, model_sha256, quantization, circumstances, result FROM jan_bench "
        "JOIN llama_bench ON llama_bench.rowid = llama_bench_rowid",
    )
    assert [one[:3] for one in joined] == [(11.5, model.sha256[0], "F32")]
    assert json.loads(str(joined[0][3]))["flags"] == {"threads": 2}
    assert json.loads(str(joined[0][4])) == {"pp": 1}


def test_what_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but longer than a header of one would be\n" * 9)
    before = path.read_bytes()
    with pytest.raises(InvalidRequest, match="db: "):
        add_results(path, circumstances("serve", flags={}, computes=False), [])
    assert path.read_bytes() == before


def test_where_nothing_can_be_written_that_is_said(tmp_path: Path) -> None:
    under = circumstances("serve", flags={}, computes=False)
    with pytest.raises(WriteFailed):
        add_results(tmp_path / "no folder" / "results.db", under, [])
    with pytest.raises(WriteFailed, match="No such file"):
        write_out("text", tmp_path / "no folder" / "results.json")


def test_what_is_no_plain_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "file"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_out("told", pipe)
    assert os.read(reader, 9) == b"told"
    os.close(reader)
    assert pipe.is_fifo()
    link.symlink_to(file)
    write_out("kept", link)
    assert link.is_symlink()
    assert file.read_text() == "kept"


def test_a_full_disk_leaves_the_earlier_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.json"
    write_out("earlier", path)

    def full(_: Path, data: bytes) -> int:
        with Path("/dev/full").open("wb") as file:
            return file.write(data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WriteFailed, match="No space left"):
        write_out("later" * 9999, path)
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]
