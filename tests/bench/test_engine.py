"""`jan bench engine`, from its flags to its files."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from jan_server.cli.main import main as jan

from jan_bench.cli.engine_flags import engine_parser, patience_of
from jan_bench.engine.grid import EngineGrid, all_tests
from jan_bench.engine.lists import parse_numbers
from jan_bench.engine.runs import Patience, run_tests
from jan_engine.errors import InvalidRequest

QUICK = ("-r", "2", "--no-hash")
FEW = ("-p", "32", "-n", "4", "-t", "1", *QUICK)
JAN = [sys.executable, "-m", "jan_server.cli.main", "bench"]


def test_the_usual_tests_and_all_that_is_known(
    random_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved, database = tmp_path / "saved.json", tmp_path / "results.db"
    flags = [*FEW, "-pg", "16,2", "-d", "0,8", "--save", str(saved), "--db", str(database)]
    assert jan(["bench", "engine", str(random_path), *flags]) == 0
    rows = [line.split("|")[-3].strip() for line in capsys.readouterr().out.splitlines()[2:-2]]
    deep = ["pp32 @ d8", "tg4 @ d8", "pp16+tg2 @ d8"]
    assert rows == ["pp32", "tg4", "pp16+tg2", *deep]
    told = json.loads(saved.read_text())
    assert [row["n_depth"] for row in told] == [0, 0, 0, 8, 8, 8]
    assert all(len(row["samples_ns"]) == 2 and min(row["samples_ns"]) > 0 for row in told)
    assert all(row["n_threads"] == 1 and row["avg_ts"] > 0 for row in told)
    circumstances = told[0]["circumstances"]
    assert circumstances["repeats"] == 2
    assert circumstances["seed"] == 1
    assert circumstances["flags"]["n_ubatch"] == [512]
    assert circumstances["flags"]["flash_attn"] == [-1]
    assert circumstances["flags"]["flash_attn_was"] == ["on"]  # what a CPU always has
    assert circumstances["models"][0]["quantization"] == "F32"
    with closing(sqlite3.connect(database)) as connection:
        joined = connection.execute(
            "SELECT n_prompt, n_gen, n_depth, result FROM llama_bench JOIN jan_bench "
            "ON llama_bench.rowid = llama_bench_rowid"
        ).fetchall()
    assert [row[:3] for row in joined] == [
        (row["n_prompt"], row["n_gen"], row["n_depth"]) for row in told
    ]
    assert json.loads(joined[0][3])["samples_ns"] == told[0]["samples_ns"]


def test_what_was_left_open_is_told_as_it_came_out(
    random_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("-p", "16", "-n", "0", "-r", "1", "--no-hash", "-o", "jsonl", "-t", "0")
    for flags, flash in (((), ["on"]), (("-fa", "off"), ["off"]), (("-np", "2"), ["on"])):
        assert jan(["bench", "engine", str(random_path), *few, *flags]) == 0
        (told,) = map(json.loads, capsys.readouterr().out.splitlines())
        flags_told = told["circumstances"]["flags"]
        assert flags_told["flash_attn_was"] == flash
        assert flags_told["n_threads"] == [told["n_threads"]] != [0]


def test_without_a_number_short_tests_are_repeated_for_a_while(random_path: Path) -> None:
    assert patience_of(engine_parser().parse_args(["model"])) == Patience(5, 10)
    assert patience_of(engine_parser().parse_args(["model", "-r", "3"])) == Patience(3, 0)
    tests = all_tests(EngineGrid(models=[str(random_path)], n_prompt=[8], n_gen=[0], n_threads=[1]))
    began_s = time.monotonic()
    (result,) = run_tests(tests, patience=Patience(2, 0.5), warm_up=False, seed=1)
    assert time.monotonic() - began_s >= 0.5
    assert len(result.samples) > 2


def test_streams_side_by_side(
    random_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "results.db"
    command = ["bench", "engine", "-m", str(random_path), *FEW, "-np", "1,4", "--db", str(database)]
    assert jan([*command, "-o", "jsonl"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["pp"], row["tg"], row["pl"], row["n_kv"]) for row in rows] == [
        (32, 4, 1, 36),
        (32, 4, 4, 144),
    ]
    assert rows[1]["speed_pp"] == pytest.approx(4 * 32 / rows[1]["t_pp"])
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM jan_bench").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM llama_bench").fetchone() == (0,)


def test_both_kernels_in_one_table(random_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "engine", str(random_path), *QUICK, "-p", "32", "-n", "0", "-t", "1"]
    assert jan([*command, "--jan-kernels", "1,0"]) == 0
    head, _, ours, theirs, _, foot = capsys.readouterr().out.splitlines()
    assert [line.split("|")[6].strip() for line in (head, ours, theirs)] == [
        "kernels",
        "jan",
        "upstream",
    ]
    assert foot.startswith("build: jan-engine ")


def test_a_model_is_loaded_once_for_its_tests() -> None:
    grid = EngineGrid(models=["a", "b"], n_prompt=[1, 2], n_gen=[0], n_ubatch=[32, 64])
    assert [(t.model, t.n_ubatch, t.n_prompt) for t in all_tests(grid)] == [
        (model, n_ubatch, n) for model in "ab" for n_ubatch in (32, 64) for n in (1, 2)
    ]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("512", [512]),
        ("1,2,4", [1, 2, 4]),
        ("1-4", [1, 2, 3, 4]),
        ("10-30+10", [10, 20, 30]),
        ("128-1024*2", [128, 256, 512, 1024]),
        ("0,5-6", [0, 5, 6]),
    ],
)
def test_lists_are_those_of_llama_bench(text: str, values: list[int]) -> None:
    assert parse_numbers("n-prompt", [text]) == values


@pytest.mark.parametrize(
    "text", ["", "x", "1,", "4-1", "1-4*1", "1-4+0", "1-9999999", "-1", "99999999999", "1-", "1..4"]
)
def test_lists_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="n-prompt: "):
        parse_numbers("n-prompt", [text])


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        (["-p", "many"], 2, "n-prompt: 'many' is neither"),
        (["-p", "0", "-n", "0"], 2, "there is nothing to time"),
        (["-pg", "512"], 2, "pg: '512' is not two numbers"),
        (["-ctk", "q2"], 2, "cache-type-k: 'q2' is none of f32, f16"),
        (["-ctk", "q8_0"], 2, "cache_type: K cache type q8_0"),
        (["-np", "1", "-o", "sql"], 2, "output: -np has no sql"),
        (["-t", "5000"], 2, "n_threads"),
        (["-m", "nowhere.gguf"], 3, "there is no model file nowhere.gguf"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    wrong: list[str],
    status: int,
    said: str,
    random_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert jan(["bench", "engine", str(random_path), *QUICK, *wrong]) == status
    assert f"error: {said}" in capsys.readouterr().err


def test_without_a_model_there_is_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert jan(["bench", "engine"]) == 2
    assert capsys.readouterr().err == "error: model: there is none to time\n"


@pytest.mark.unsanitized  # ThreadSanitizer holds signals back while a thread waits
def test_ctrl_c_ends_it_at_once(random_path: Path) -> None:
    command = [*JAN, "engine", str(random_path), "--no-hash", "-p", "0", "-n", "10000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert running.stdout.readline().startswith("| model")
        time.sleep(1)
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 130


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_said(random_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*JAN, "engine", str(random_path), *FEW],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 4
    assert "error: cannot write the results: No space left on device" in done.stderr


def test_a_place_that_cannot_be_written_to_is_said_before_anything_runs(
    random_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flag, status in (("--save", 4), ("--db", 4)):
        place = tmp_path / "no folder" / "results"
        assert jan(["bench", "engine", str(random_path), *FEW, flag, str(place)]) == status
        said = capsys.readouterr()
        assert said.out == ""
        assert f"error: cannot write {place}" in said.err
    (tmp_path / "notes").write_text("no database, and longer than the header of one" * 9)
    command = ["bench", "engine", str(random_path), *FEW, "--db", str(tmp_path / "notes")]
    assert jan(command) == 2
    assert capsys.readouterr().out == ""


def test_what_was_timed_before_an_error_is_kept(
    random_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "saved.json"
    command = ["bench", "engine", str(random_path), *QUICK, "-p", "32", "-n", "0", "-t", "1"]
    # The second cache has blocks of 32 numbers, and the model's heads 16.
    assert jan([*command, "-ctk", "f16,q8_0", "--save", str(saved), "-o", "json"]) == 2
    (printed,) = json.loads(capsys.readouterr().out)
    assert json.loads(saved.read_text()) == [printed]
    assert printed["type_k"] == "f16"
