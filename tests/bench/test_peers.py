"""`jan bench peers` with programs that only say what upstream's would."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from jan_server.cli.main import main

from tests.conftest import ROOT

SERVER = f"""#!{sys.executable}
import asyncio, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.bench.peer import Peer, steady
port = int(sys.argv[sys.argv.index("--port") + 1])
open(sys.argv[0] + ".asked", "a").write(" ".join(sys.argv[1:]) + "\\n")
async def serve():
    server = await asyncio.start_server(Peer(steady(0.02, 0.002)).serve, "127.0.0.1", port)
    await server.serve_forever()
asyncio.run(serve())
"""
CEILING = f"""#!{sys.executable}
print("some log")
print('{{"t_pp": 0.5, "t_tg": 0.5, "flash_attn": 0}}')
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "bench/peers").mkdir(parents=True)
    (tmp_path / "bench/peers/CMakeLists.txt").touch()
    programs = tmp_path / "build/peers/bin"
    programs.mkdir(parents=True)
    for name in ("llama-server", "llama-batched-bench", "llama-bench", "llama-perplexity"):
        (programs / name).write_text(SERVER if name == "llama-server" else CEILING)
        (programs / name).chmod(0o755)
    return tmp_path


@pytest.mark.unsanitized
def test_all_are_asked_the_same_in_turns(
    alphabet_path: Path, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["-m", str(alphabet_path), "--checkout", str(checkout), "--rounds", "1", "-t", "1"]
    flags += ["-c", "2", "-n", "4", "--input-len", "20", "--output-len", "4", "--no-hash"]
    assert main(["bench", "peers", *flags, "--save", str(checkout / "rounds.json")]) == 0
    told = capsys.readouterr()
    table = told.out.splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in table[2:7]] == [
        "jan serve",
        "llama-server",
        "llama-server, tuned, a cache per stream",
        "llama-server, tuned, one cache",
        "llama-batched-bench: the ceiling",
    ]
    assert "| 8.0 |" in table[6]  # 2 streams of 4 tokens in a second
    assert told.out.endswith("0 failed.\n")
    rows = json.loads((checkout / "rounds.json").read_text())
    assert {row["completed"] for row in rows} == {4}
    assert rows[0]["label"] == "jan serve"
    asked = (checkout / "build/peers/bin/llama-server.asked").read_text().splitlines()
    assert len(asked) == 3
    assert all("-np 2 -c 1024" in line for line in asked)
    assert "--no-kv-unified" in asked[1]


def test_outside_a_checkout_that_is_said(
    alphabet_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["-m", str(alphabet_path), "--checkout", str(tmp_path)]
    assert main(["bench", "peers", *flags]) == 2
    assert capsys.readouterr().err.startswith("error: checkout: ")
    assert main(["bench", "peers", *flags, "--rounds", "0"]) == 2
    assert capsys.readouterr().err.startswith("error: rounds: ")


@pytest.mark.unsanitized
def test_a_program_that_does_not_start_says_why(
    alphabet_path: Path, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = checkout / "build/peers/bin/llama-server"
    server.write_text("#!/bin/sh\necho out of luck >&2\nexit 1\n")
    flags = ["-m", str(alphabet_path), "--checkout", str(checkout), "--rounds", "1", "-t", "1"]
    assert main(["bench", "peers", *flags, "-c", "1", "-n", "1", "--output-len", "2"]) == 4
    assert "out of luck" in capsys.readouterr().err
