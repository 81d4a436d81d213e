"""python -m jan_engine, as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import models

pytestmark = pytest.mark.unsanitized


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jan_engine", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_text_goes_to_stdout_and_the_rate_to_stderr(alphabet_path: Path) -> None:
    done = run(str(alphabet_path), "a")
    assert done.returncode == 0
    assert done.stdout == "bcdefghijklmnopqrstuvwxyz\n"
    assert "tokens/s" in done.stderr


def test_characters_of_several_tokens_come_out_whole(tmp_path: Path) -> None:
    face = models.byte_tokens("\N{GRINNING FACE}")
    script = dict(zip([*models.byte_tokens("a"), *face], face, strict=False))
    path = models.write_scripted(tmp_path / "face.gguf", script)
    assert run(str(path), "a").stdout == "\N{GRINNING FACE}\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no model file"),
        (b"lmgg" + bytes(64), "GGML"),
        (b"hello", "not a GGUF file"),
    ],
)
def test_a_bad_file_is_one_line_and_exit_1(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    done = run(str(path), "a")
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: ")
    assert says in done.stderr


def test_a_prompt_that_does_not_fit_is_one_line(alphabet_path: Path) -> None:
    done = run(str(alphabet_path), "a" * 5000)
    assert done.returncode == 1
    assert "do not fit" in done.stderr


def test_ctrl_c_ends_it_at_once(tmp_path: Path) -> None:
    (a,) = models.byte_tokens("a")
    path = models.write_scripted(tmp_path / "forever.gguf", {a: a})
    command = [sys.executable, "-m", "jan_engine", str(path), "a", "-n", "100000000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(10)
    process.send_signal(signal.SIGINT)
    drained = process.communicate(timeout=10)
    assert process.returncode == 130
    assert b"Traceback" not in drained[1]


def test_a_closed_pipe_is_no_traceback(alphabet_path: Path) -> None:
    command = [sys.executable, "-m", "jan_engine", str(alphabet_path), "a"]
    read_end, write_end = os.pipe()
    process = subprocess.Popen(command, stdout=write_end, stderr=subprocess.PIPE)
    os.close(write_end)
    os.close(read_end)
    _, stderr = process.communicate(timeout=20)
    assert b"Traceback" not in stderr


def test_importing_brings_neither_numpy_nor_the_web() -> None:
    code = (
        "import sys, jan_engine\n"
        "print([m for m in ('numpy', 'litestar', 'uvicorn', 'uvloop', 'httpx', 'asyncio')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
