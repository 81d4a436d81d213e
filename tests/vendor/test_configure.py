"""What CMake says about an option that cannot be: one line, before anything is compiled."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.unsanitized

CYTHON_CMAKE = (
    "import cython_cmake, pathlib; print(pathlib.Path(cython_cmake.__file__).parent / 'cmake')"
)


def configure(folder: Path, *defines: str, **environment: str) -> tuple[int, str]:
    modules = subprocess.run(
        [sys.executable, "-c", CYTHON_CMAKE], capture_output=True, text=True, check=True
    ).stdout.strip()
    command = [str(Path(sys.executable).with_name("cmake")), "-G", "Ninja", "-S", str(ROOT)]
    command += ["-B", str(folder / "build"), f"-DCMAKE_MODULE_PATH={modules}"]
    command += [f"-DPython_EXECUTABLE={sys.executable}", *defines]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path, **environment},
    )
    return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)


def test_a_folder_that_is_no_llama_cpp_is_refused(tmp_path: Path) -> None:
    code, said = configure(tmp_path, JAN_LLAMA_CPP_DIR=str(tmp_path))
    assert code != 0
    assert "is not a llama.cpp tree" in said


def test_another_tree_is_used_when_named(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.symlink_to(ROOT / "vendor/llama.cpp/tree")
    code, said = configure(tmp_path, JAN_LLAMA_CPP_DIR=str(other))
    assert code == 0, said
    assert "from JAN_LLAMA_CPP_DIR, not the pin" in said


def test_an_unknown_cpu_is_refused(tmp_path: Path) -> None:
    code, said = configure(tmp_path, "-DJAN_CPU=fastest")
    assert code != 0
    assert "JAN_CPU is 'fastest': it must be all or" in said


def test_all_variants_are_recorded_with_what_they_need(tmp_path: Path) -> None:
    code, said = configure(tmp_path, "-DJAN_CPU=all")
    assert code == 0, said
    recorded = (tmp_path / "build/_build.json").read_text()
    if "x86_64" in said:
        assert '"cpu-haswell": ["SSE42", "AVX", "F16C", "FMA", "AVX2", "BMI2"]' in recorded
        assert '"cpu-x64": []' in recorded
        assert "armv8" not in recorded
