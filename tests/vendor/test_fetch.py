"""The script that brings llama.cpp: whole, or not at all, and one line saying why."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.unsanitized

SCRIPT = ROOT / "vendor/llama.cpp/fetch.py"
FILES = {
    "pkg-1.0/README": b"not ours",
    "pkg-1.0/deep/llama.cpp/include/llama.h": b"the header",
    "pkg-1.0/deep/llama.cpp/tools/quantize/q.cpp": b"a tool",
    "pkg-1.0/deep/llama.cpp/tools/ui/index.html": b"dropped",
    "pkg-1.0/deep/llama.cpp/models/ggml-vocab-x.gguf": b"golden",
    "pkg-1.0/deep/llama.cpp/models/big.gguf": b"not kept",
    "pkg-1.0/deep/llama.cpp/includes/other.h": b"not kept: its folder only starts alike",
    "pkg-1.0/deep/llama.cpp/include/../../../escaped": b"never",
}


class Bench:
    """A pin, an archive that satisfies it, and a place for the tree."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "place" / "tree"
        self.archive = folder / "pkg-1.0.tar.gz"
        with tarfile.open(self.archive, "w:gz") as tar:
            for name, content in FILES.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        self.pin = folder / "pin.toml"
        self.write_pin(hashlib.sha256(self.archive.read_bytes()).hexdigest())

    def write_pin(self, sha256: str, distribution: str = "pkg") -> None:
        self.pin.write_text(
            f'build = 1\nggml = "0"\ndistribution = "{distribution}"\nversion = "1.0"\n'
            f'sha256 = "{sha256}"\npath = "deep/llama.cpp"\n'
            'keep = ["include", "tools", "models/ggml-vocab-"]\ndrop = ["tools/ui"]\n'
        )

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(SCRIPT), "--pin", str(self.pin), "--tree", str(self.tree)]
        return subprocess.run(
            [*command, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment or None,
        )

    def fetch(self) -> subprocess.CompletedProcess[str]:
        return self.run("--archive", str(self.archive))

    def files(self) -> set[str]:
        return {str(p.relative_to(self.tree)) for p in self.tree.rglob("*") if p.is_file()}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


KEPT = {
    ".pin-digest",
    "include/llama.h",
    "tools/quantize/q.cpp",
    "models/ggml-vocab-x.gguf",
}


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("llama.cpp: ")
    return lines[0]


def test_what_the_pin_keeps_is_unpacked_and_nothing_else(bench: Bench, tmp_path: Path) -> None:
    assert bench.fetch().returncode == 0
    assert bench.files() == KEPT
    assert (bench.tree / "include/llama.h").read_bytes() == b"the header"
    assert not [*tmp_path.rglob("escaped")]
    assert bench.run("--check").returncode == 0


def test_a_second_run_does_nothing(bench: Bench) -> None:
    bench.fetch()
    again = bench.run()
    assert (again.returncode, again.stdout) == (0, "")


def test_an_archive_with_another_hash_is_not_used(bench: Bench) -> None:
    bench.write_pin("0" * 64)
    assert "sha256" in one_line(bench.fetch())
    assert not bench.tree.exists()
    assert bench.run("--check").returncode == 1


def test_a_half_unpacked_tree_is_replaced(bench: Bench) -> None:
    bench.tree.mkdir(parents=True)
    (bench.tree / "half").write_text("left by a run that was killed")
    assert bench.run("--check").returncode == 1
    done = bench.fetch()
    assert "incomplete" in done.stdout
    assert bench.files() == KEPT


def test_a_tree_of_another_pin_is_replaced(bench: Bench) -> None:
    bench.fetch()
    (bench.tree / ".pin-digest").write_text("f" * 64)
    assert bench.run("--check").returncode == 1
    assert bench.fetch().returncode == 0
    assert bench.run("--check").returncode == 0


def test_a_pin_that_keeps_other_parts_replaces_the_tree(bench: Bench) -> None:
    bench.fetch()
    text = bench.pin.read_text()
    bench.pin.write_text(text.replace('drop = ["tools/ui"]', "drop = []"))
    assert bench.run("--check").returncode == 1
    assert bench.fetch().returncode == 0
    assert bench.files() == KEPT | {"tools/ui/index.html"}


def test_a_comment_in_the_pin_changes_nothing(bench: Bench) -> None:
    bench.fetch()
    bench.pin.write_text("# moved on Monday\n" + bench.pin.read_text())
    assert bench.run("--check").returncode == 0


def test_a_truncated_archive_leaves_no_tree(bench: Bench) -> None:
    bench.archive.write_bytes(bench.archive.read_bytes()[:200])
    bench.write_pin(hashlib.sha256(bench.archive.read_bytes()).hexdigest())
    assert "could not unpack" in one_line(bench.fetch())
    assert not bench.tree.exists()
    assert [*bench.tree.parent.iterdir()] == []


def test_an_archive_without_the_tree_is_refused(bench: Bench) -> None:
    with tarfile.open(bench.archive, "w:gz"):
        pass
    bench.write_pin(hashlib.sha256(bench.archive.read_bytes()).hexdigest())
    assert "not the archive" in one_line(bench.fetch())
    assert not bench.tree.exists()


def test_no_network_is_one_line_that_names_the_ways_out(bench: Bench) -> None:
    done = bench.run(PIP_NO_INDEX="1", PIP_CONFIG_FILE="/dev/null", PATH="/usr/bin:/bin")
    line = one_line(done)
    assert "could not download" in line
    assert "--archive" in line
    assert "JAN_LLAMA_CPP_DIR" in line
    assert not bench.tree.exists()


def test_a_package_index_that_serves_something_else_is_refused(
    bench: Bench, tmp_path: Path
) -> None:
    bench.write_pin("1" * 64)
    done = bench.run(
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(tmp_path),
        PIP_CONFIG_FILE="/dev/null",
        PATH="/usr/bin:/bin",
    )
    assert "does not have the pinned sha256" in one_line(done)
    assert not bench.tree.exists()


def test_two_runs_at_once_both_succeed(bench: Bench) -> None:
    command = [sys.executable, str(SCRIPT), "--pin", str(bench.pin), "--tree", str(bench.tree)]
    command += ["--archive", str(bench.archive)]
    runs = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [run.wait(timeout=30) for run in runs] == [0, 0, 0, 0]
    assert bench.files() == KEPT
    assert [path.name for path in bench.tree.parent.iterdir()] == ["tree"]


def test_what_a_killed_run_left_behind_is_removed(bench: Bench) -> None:
    abandoned = bench.tree.parent / "partial-abandoned"
    abandoned.mkdir(parents=True)
    (abandoned / "half").write_text("x")
    os.utime(abandoned, (0, 0))
    assert bench.fetch().returncode == 0
    assert not abandoned.exists()


def test_ctrl_c_is_one_line_and_leaves_nothing(bench: Bench, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.tar.gz")  # reading it waits for a writer that never comes
    command = [sys.executable, str(SCRIPT), "--pin", str(bench.pin), "--tree", str(bench.tree)]
    command += ["--archive", str(tmp_path / "endless.tar.gz")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not bench.tree.parent.exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert stderr.splitlines() == ["llama.cpp: interrupted; nothing was left behind"]
    assert [*bench.tree.parent.iterdir()] == []


def test_the_real_pin_is_what_the_checkout_was_built_from() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], check=False)
    assert done.returncode == 0
