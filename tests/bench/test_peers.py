"""`jan bench peers` with programs that only say what upstream's would."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from jan_server.cli.main import main

from jan_bench.peers.from_pypi import install
from jan_engine.errors import Unavailable
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
import sys
pl = sys.argv[sys.argv.index("-npl") + 1]
print('{{"pl": ' + pl + ', "tg": 4, "t_pp": 0.5, "t_tg": 0.5, "flash_attn": 0}}')
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


FLAGS = ["-t", "1", "--input-len", "20", "--output-len", "4", "--no-hash"]


def names(table: str) -> list[str]:
    return [line.split(" | ")[0].strip("| ") for line in table.splitlines()[2:]]


@pytest.mark.unsanitized
def test_all_are_asked_the_same_in_turns(
    alphabet_path: Path, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["-m", str(alphabet_path), "--checkout", str(checkout), *FLAGS]
    flags += ["-c", "2", "-n", "2", "--out", str(checkout / "turns")]
    assert main(["bench", "peers", *flags, "--rounds", "1"]) == 0
    table, _, end = capsys.readouterr().out.partition("\n\n")
    assert names(table) == [
        "jan serve",
        "llama-server",
        "llama-server, tuned, a cache per stream",
        "llama-server, tuned, one cache",
        "llama-server, tuned, sampling in the graph",
        "llama-batched-bench: the ceiling",
    ]
    assert "| 8.0 |" in table.splitlines()[-1]  # 2 streams of 4 tokens in a second
    assert "; 0 failed" in end
    rows = [json.loads(path.read_bytes()) for path in (checkout / "turns").glob("*--*.json")]
    assert {row["completed"] for row in rows} == {4}
    if sys.platform == "linux":
        assert all(0 <= row["jan_bench"]["others"] <= 1 for row in rows)
    assert "jan serve" in {row["label"] for row in rows}
    asked = (checkout / "build/peers/bin/llama-server.asked").read_text().splitlines()
    assert len(asked) == 4
    assert all("-np 2 -c 1024" in line for line in asked)
    assert "--no-kv-unified" in asked[1]


@pytest.mark.unsanitized
def test_what_was_taken_is_not_taken_again(
    alphabet_path: Path, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["-m", str(alphabet_path), "--checkout", str(checkout), *FLAGS]
    flags += ["-n", "2", "--out", str(checkout / "turns")]
    assert main(["bench", "peers", *flags, "-c", "1", "--rounds", "1"]) == 0
    capsys.readouterr()
    assert main(["bench", "peers", *flags, "-c", "1,2", "--rounds", "1"]) == 0
    told = capsys.readouterr()
    assert told.err.count("(taken before)") == 6
    assert told.out.startswith("| tokens/s | 1 at once | 2 at once |\n")
    asked = (checkout / "build/peers/bin/llama-server.asked").read_text().splitlines()
    assert [line.partition("-np ")[2][0] for line in asked] == [*"11112222"]
    assert main(["bench", "peers", *flags, "--seed", "1"]) == 2
    assert "holds a peers whose seed was 0, not 1" in capsys.readouterr().err


@pytest.mark.unsanitized
def test_a_package_that_cannot_be_had_is_named_and_left_out(
    alphabet_path: Path,
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(checkout))
    flags = ["-m", str(alphabet_path), "--checkout", str(checkout), *FLAGS, "--rounds", "1"]
    assert main(["bench", "peers", *flags, "-c", "1", "-n", "1", "--also", "xllamacpp"]) == 0
    told = capsys.readouterr()
    assert "note: xllamacpp is left out: xllamacpp cannot be installed" in told.err
    assert "No matching distribution" in told.err
    assert len(names(told.out.partition("\n\n")[0])) == 6
    assert main(["bench", "peers", *flags, "--also", "ollama"]) == 2
    assert capsys.readouterr().err.startswith("error: also: 'ollama' is not one of")


@pytest.mark.unsanitized
@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them")
def test_a_package_that_takes_too_long_is_given_up_with_all_it_started(tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "slow"\nbackend-path = ["."]\n'
    )
    (slow / "slow.py").write_text(
        "import os, pathlib, time\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "time.sleep(60)\n"
    )
    with pytest.raises(Unavailable, match=r"xllamacpp was not installed within 8 s"):
        install("xllamacpp", tmp_path, requirement=str(slow), patience_s=8)
    process = int((tmp_path / "pid").read_text())
    with suppress(ProcessLookupError, FileNotFoundError):  # nobody may have waited for it yet
        assert ") Z " in Path(f"/proc/{process}/stat").read_text()


def test_outside_a_checkout_that_is_said(
    alphabet_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["-m", str(alphabet_path), "--checkout", str(tmp_path)]
    assert main(["bench", "peers", *flags]) == 2
    assert capsys.readouterr().err.startswith("error: checkout: ")
    assert main(["bench", "peers", *flags, "--rounds", "0"]) == 2
    assert capsys.readouterr().err.startswith("error: rounds: ")
    assert main(["bench", "peers", *flags, "-c", "1,x"]) == 2
    assert capsys.readouterr().err.startswith("error: concurrency: ")


@pytest.mark.unsanitized
def test_a_program_that_does_not_start_says_why(
    alphabet_path: Path, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = checkout / "build/peers/bin/llama-server"
    server.write_text("#!/bin/sh\necho out of luck >&2\nexit 1\n")
    flags = ["-m", str(alphabet_path), "--checkout", str(checkout), "--rounds", "1", "-t", "1"]
    assert main(["bench", "peers", *flags, "-c", "1", "-n", "1", "--output-len", "2"]) == 4
    assert "out of luck" in capsys.readouterr().err


@pytest.mark.unsanitized
def test_a_ceiling_without_figures_is_no_ceiling_of_zero(
    alphabet_path: Path, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = checkout / "build/peers/bin/llama-batched-bench"
    program.write_text("#!/bin/sh\necho no such layout >&2\n")
    flags = ["-m", str(alphabet_path), "--checkout", str(checkout), *FLAGS, "--rounds", "1"]
    assert main(["bench", "peers", *flags, "-c", "1", "-n", "1"]) == 4
    assert "llama-batched-bench printed no figures" in capsys.readouterr().err
