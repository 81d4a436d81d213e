"""`jan bench engine` prints what llama-bench prints.

llama_bench/ holds what llama-bench said of tests/models.py's random model: in one run each as JSON
and in another format, with

    -p 64 -n 16 -pg 32,8 -d 32 -fa 1 -ub 256 -ctk bf16 -r 3 -t 2 -o json -oe FORMAT
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jan_bench.circumstances import Circumstances, ComputesHere, circumstances
from jan_bench.engine.batched import BATCHED_FORMATS
from jan_bench.engine.formats import FORMATS
from jan_bench.engine.grid import EngineGrid, EngineTest
from jan_bench.engine.row import commit
from jan_bench.engine.runs import EngineResult
from jan_engine.gauge import PassTimes

FOLDER = Path(__file__).parent / "llama_bench"
GRID = EngineGrid(
    models=["random.gguf"],
    n_depth=[32],
    n_prompt=[64],
    n_gen=[16],
    n_prompt_gen=[(32, 8)],
    n_ubatch=[256],
    n_threads=[2],
    flash_attn=[1],
    type_k=["bf16"],
)


def theirs(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((FOLDER / f"beside_{name}.json").read_text())
    return rows


def as_ours(row: dict[str, Any]) -> EngineResult:
    same = {name: row[name] for name in EngineTest.__struct_fields__ if name in row}
    settings = {**same, "model": row["model_filename"], "jan_kernels": True}
    return EngineResult(
        flash=True,
        test=msgspec.convert(settings, EngineTest),
        model_type=row["model_type"],
        model_size=row["model_size"],
        model_n_params=row["model_n_params"],
        at=row["test_time"],
        samples=[PassTimes(ns, 0) for ns in row["samples_ns"]],
    )


def under(row: dict[str, Any]) -> Circumstances:
    """Its build and processor."""
    told = circumstances("engine", flags={}, repeats=3, computes=False)
    cpu = ComputesHere(name="CPU", description=row["cpu_info"], backend="CPU", kind="cpu")
    build = msgspec.structs.replace(told.build, llama_cpp_build=row["build_number"], devices=[cpu])
    return msgspec.structs.replace(told, build=build)


def written(name: str, beside: str) -> str:
    rows = theirs(beside)
    output = FORMATS[name](under(rows[0]), GRID)
    text = output.head() + "".join(output.row(as_ours(row)) for row in rows) + output.foot()
    text = re.sub(r',\s*"circumstances": \{.*?\}(?=\n  \}|\}\n)', "", text)
    return text.replace(commit(under(rows[0]).build, jan_kernels=True), rows[0]["build_commit"])


@pytest.mark.parametrize("name", ["md", "jsonl", "csv", "sql"])
def test_every_format_is_that_of_llama_bench_to_the_byte(name: str) -> None:
    wanted = (FOLDER / f"expected.{name}").read_text()
    assert written(name, name) == with_our_load_mode(name, wanted)


@pytest.mark.parametrize("name", ["md", "jsonl", "csv", "sql"])
def test_json_is_that_of_llama_bench_to_the_byte(name: str) -> None:
    wanted = (FOLDER / f"beside_{name}.json").read_text()
    assert written("json", name) == with_our_load_mode("json", wanted)


def with_our_load_mode(name: str, text: str) -> str:
    """What is "auto" there is here what it comes to."""
    mode, following = ('"load_mode": "auto"', '"load_mode": "mmap"')
    if name in ("csv", "sql"):
        quote = '"' if name == "csv" else "'"
        between = "," if name == "csv" else ", "
        mode = between.join(f"{quote}{value}{quote}" for value in ("none", "auto", "auto"))
        following = mode.replace("auto", "mmap", 1)
    return text.replace(mode, following)


def test_json_says_more_at_its_end() -> None:
    rows = theirs("md")
    told = under(rows[0])
    output = FORMATS["jsonl"](told, GRID)
    row = json.loads(output.row(as_ours(rows[0])))
    assert list(row)[-3:] == ["samples_ns", "samples_ts", "circumstances"]
    assert row["circumstances"]["machine"]["cores"] == told.machine.cores


def test_a_quote_in_a_path_stays_in_its_field() -> None:
    rows = theirs("md")
    named = {**rows[0], "model_filename": """it's "it".gguf"""}
    told = under(rows[0])
    assert "'it''s \"it\".gguf'" in FORMATS["sql"](told, GRID).row(as_ours(named))
    assert '"it\'s ""it"".gguf"' in FORMATS["csv"](told, GRID).row(as_ours(named))
    line = FORMATS["jsonl"](told, GRID).row(as_ours(named))
    assert json.loads(line)["model_filename"] == """it's "it".gguf"""


def batched(n_streams: int) -> EngineResult:
    test = as_ours(theirs("md")[0]).test
    test = msgspec.structs.replace(test, n_prompt=100, n_gen=10, n_depth=0, n_streams=n_streams)
    samples = [PassTimes(1_000_000_000, 400_000_000), PassTimes(3_000_000_000, 600_000_000)]
    return msgspec.structs.replace(as_ours(theirs("md")[0]), test=test, samples=samples)


def test_several_streams_have_the_columns_of_llama_batched_bench() -> None:
    told = msgspec.structs.replace(under(theirs("md")[0]), repeats=2)
    output = BATCHED_FORMATS["md"](told, GRID)
    text = output.head() + output.row(batched(1)) + output.row(batched(8)) + output.foot()
    head, _, *table = text.splitlines()
    assert head.startswith(
        "llama ?B all F32: 2 threads, n_batch 2048, n_ubatch 256, cache bf16/f16"
    )
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    names = ["PP", "TG", "B", "N_KV", "T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s", "T s", "S t/s"]
    assert cells[0] == names
    assert set(table[1]) == set("|-")
    assert " ".join(cells[2]) == "100 10 1 110 2.000 50.00 0.500 20.00 2.500 44.00"
    assert " ".join(cells[3]) == "100 10 8 880 2.000 400.00 0.500 160.00 2.500 352.00"
    # The widths are those of batched-bench.cpp's LOG("|%6d | %6d | %4d | %6d | %8.3f ...").
    widths = [6, 8, 6, 8, *[10] * 6]
    assert {tuple(len(cell) for cell in line[1:-2].split("|")) for line in table[2:4]} == {
        (6 + 1, *(width for width in widths[1:-1]), 9)
    }


def test_every_format_of_several_streams_has_its_fields() -> None:
    told = under(theirs("md")[0])
    batched_bench = ["n_kv_max", "n_batch", "n_ubatch", "flash_attn", "is_pp_shared"]
    batched_bench += ["n_gpu_layers", "n_threads", "n_threads_batch", "pp", "tg", "pl", "n_kv"]
    batched_bench += ["t_pp", "speed_pp", "t_tg", "speed_tg", "t", "speed"]
    for name in ("json", "jsonl"):
        output = BATCHED_FORMATS[name](told, GRID)
        text = output.head() + output.row(batched(2)) + output.foot()
        row = json.loads(text)[0] if name == "json" else json.loads(text)
        assert list(row)[:18] == batched_bench
        assert row["samples_pp_ns"] == [1_000_000_000, 3_000_000_000]
    output = BATCHED_FORMATS["csv"](told, GRID)
    head, row = (output.row(batched(2))).splitlines()
    assert head.split(",")[:18] == batched_bench
    assert len(row.split(",")) == len(head.split(","))
