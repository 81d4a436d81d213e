"""Backends: the best one is chosen, the rest say why not, and nothing else is ever opened."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jan_engine import _core, backends, build_info, devices
from jan_engine.backend import DeviceKind, Status

PACKAGE = Path(_core.__file__).resolve().parent
REAL_CPU = next(path for path in (PACKAGE / "backends").glob("libggml-cpu*.so"))


def test_this_machine_has_a_cpu_device() -> None:
    cpu = [device for device in devices() if device.kind is DeviceKind.CPU]
    assert len(cpu) == 1
    assert cpu[0].memory_total > 2**28
    assert cpu[0].description


def test_the_chosen_variant_names_its_instructions() -> None:
    chosen = [b for b in backends() if b.status is Status.LOADED and b.name.startswith("cpu")]
    assert len(chosen) == 1
    assert chosen[0].score > 0
    assert not chosen[0].reason
    if build_info().cpu_variants:
        assert chosen[0].instructions


def test_the_build_is_recorded() -> None:
    info = build_info()
    assert info.llama_cpp_build > 11_000
    assert info.cpu  # whatever JAN_CPU was: native, all, or a processor's name


def test_names_of_our_own_keep_other_packages_libraries_out() -> None:
    names = {path.name for path in (PACKAGE / "lib").iterdir() if ".so" in path.name}
    assert names == {"libggml-base.so.jan", "libggml.so.jan", "libllama.so.jan"}


def compile_library(path: Path, source: str, *flags: str) -> Path:
    code = path.with_suffix(".c")
    code.write_text(source)
    subprocess.run(
        [os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", str(path), str(code), *flags],
        check=True,
    )
    return path


def in_a_fresh_process(code: str, cwd: Path, **environment: str) -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def files_of(folder: Path, cwd: Path) -> dict[str, tuple[int, str]]:
    code = (
        "import json; from jan_engine import _core\n"
        f"_core.open_backends({os.fsencode(folder)!r})\n"
        "print(json.dumps(_core.list_backend_files()))"
    )
    listed = json.loads(in_a_fresh_process(code, cwd))
    return {entry["name"]: (entry["status"], entry["reason"]) for entry in listed}


PLANTED = """
#include <stdio.h>
__attribute__((constructor)) static void ran(void) { fclose(fopen("planted-code-ran", "w")); }
int ggml_backend_score(void) { return 1000000; }
void * ggml_backend_init(void) { return 0; }
"""


@pytest.mark.unsanitized
def test_a_library_planted_in_the_working_directory_is_not_loaded(
    tmp_path: Path, alphabet_path: Path
) -> None:
    for name in ("libggml-cpu.so", "libggml-cpu-haswell.so", "libggml-cuda.so", "libggml-blas.so"):
        compile_library(tmp_path / name, PLANTED)
    compile_library(tmp_path / "extra.so", PLANTED)
    code = (
        "import jan_engine\n"
        f"model = jan_engine.Model({str(alphabet_path)!r})\n"
        "runner = jan_engine.GreedyRunner(model, n_ctx=128)\n"
        "print(len(list(runner.generate(model.tokenize('a')))), len(jan_engine.devices()))"
    )
    out = in_a_fresh_process(code, tmp_path, GGML_BACKEND_PATH=str(tmp_path / "extra.so"))
    assert out.split()[0] == "25"
    assert not (tmp_path / "planted-code-ran").exists()


@pytest.mark.unsanitized
def test_variants_that_lose_say_why(tmp_path: Path) -> None:
    folder = tmp_path / "backends"
    folder.mkdir()
    shutil.copy(REAL_CPU, folder / "libggml-cpu-native.so")
    compile_library(folder / "libggml-cpu-future.so", "int ggml_backend_score(void) { return 0; }")
    compile_library(folder / "libggml-cpu-old.so", "int ggml_backend_score(void) { return 1; }")
    (folder / "libggml-cpu-torn.so").write_text("not a library")
    found = files_of(folder, tmp_path)
    assert found["cpu-native"] == (Status.LOADED, "")
    assert found["cpu-future"][0] == Status.UNSUPPORTED
    assert found["cpu-old"] == (Status.OUTSCORED, "cpu-native uses more of this processor")
    assert found["cpu-torn"][0] == Status.FAILED
    assert found["cpu-torn"][1]


@pytest.mark.unsanitized
def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"b\xffckends")
    folder.mkdir()
    shutil.copy(REAL_CPU, folder / "libggml-cpu-native.so")
    assert files_of(folder, tmp_path) == {"cpu-native": (Status.LOADED, "")}
    code = (
        "import os; from jan_engine import _core\n"
        f"_core.open_backends({os.fsencode(folder)!r})\n"
        "print(all(os.path.exists(entry['path']) for entry in _core.list_backend_files()))"
    )
    assert in_a_fresh_process(code, tmp_path) == "True\n"


@pytest.mark.unsanitized
def test_the_next_best_variant_runs_when_the_best_does_not_open(tmp_path: Path) -> None:
    folder = tmp_path / "backends"
    folder.mkdir()
    shutil.copy(REAL_CPU, folder / "libggml-cpu-native.so")
    compile_library(
        folder / "libggml-cpu-broken.so",
        "int ggml_backend_score(void) { return 1 << 30; }\n"
        "void * ggml_backend_init(void) { return 0; }",
    )
    found = files_of(folder, tmp_path)
    assert found["cpu-native"][0] == Status.LOADED
    assert found["cpu-broken"][0] == Status.FAILED


@pytest.mark.unsanitized
def test_a_gpu_backend_without_its_driver_is_present_without_a_device(tmp_path: Path) -> None:
    folder = tmp_path / "backends"
    folder.mkdir()
    shutil.copy(REAL_CPU, folder / REAL_CPU.name)
    compile_library(tmp_path / "libcuda.so.1", "int driver;", "-Wl,-soname,libcuda.so.1")
    compile_library(
        folder / "libggml-cuda.so",
        "extern int driver; int * needed = &driver;",
        str(tmp_path / "libcuda.so.1"),
    )
    (tmp_path / "libcuda.so.1").unlink()
    found = files_of(folder, tmp_path)
    assert found["cuda"][0] == Status.NO_DEVICE
    assert "libcuda.so.1" in found["cuda"][1]
    assert Status.LOADED in {status for status, _ in found.values()}
