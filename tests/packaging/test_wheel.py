"""The wheel and the source distribution, built and used as a stranger would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from jan_engine import build_info
from tests import models
from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.unsanitized]

SYSTEM_LIBRARIES = re.compile(
    r"lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s)\.so\.\d+|ld-linux[\w-]*\.so\.\d+"
)


def run(*command: str | Path, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From the objects of `make build`, for its processor: what is tested gets installed."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    options = [f"-Cbuild-dir={ROOT / os.environ.get('JAN_BUILD', 'build/dev')}"]
    options += [f"-Ccmake.define.JAN_CPU={build_info().cpu}", "-Ccmake.define.JAN_TESTS=ON"]
    run(*pip, *options, "--wheel-dir", folder, ROOT, cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def contents(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


def test_one_wheel_serves_every_python_from_3_11(wheel: Path) -> None:
    assert "-cp311-abi3-" in wheel.name


def test_the_wheel_holds_the_package_and_nothing_of_the_build(contents: list[str]) -> None:
    folders = {name.split("/")[0] for name in contents}
    packages = {f for f in folders if not f.endswith(".dist-info")}
    assert packages == {"jan_engine", "jan_bench", "jan_server"}
    assert not [n for n in contents if n.endswith((".pyx", ".pxd", ".in", ".h", ".cpp", ".cmake"))]
    for needed in (
        "jan_engine/py.typed",
        "jan_bench/py.typed",
        "jan_bench/plot/page/report.html",
        "jan_bench/quality/sample.txt",
        "jan_engine/_core.pyi",
        "jan_engine/_build.json",
        "jan_engine/lib/libllama.so.jan",
        "jan_engine/lib/llama.cpp-LICENSE",
    ):
        assert needed in contents
    assert any(n.startswith("jan_engine/backends/libggml-cpu") for n in contents)


def test_no_library_is_in_the_wheel_twice(contents: list[str]) -> None:
    names = [Path(n).name.split(".")[0] for n in contents if ".so" in n]
    assert len(names) == len(set(names))


def test_libraries_need_only_each_other_and_the_system(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    libraries = [p for p in tmp_path.rglob("*") if ".so" in p.name]
    shipped = {p.name for p in libraries}
    for library in libraries:
        listed = run("readelf", "-d", library, cwd=tmp_path)
        for needed in re.findall(r"\(NEEDED\).*\[(.+)\]", listed):
            assert needed in shipped or SYSTEM_LIBRARIES.fullmatch(needed), (library.name, needed)
        for path in re.findall(r"\((?:RUNPATH|RPATH)\).*\[(.+)\]", listed):
            for entry in path.split(":"):
                assert entry.startswith("$ORIGIN"), (library.name, path)


def test_libraries_do_not_name_the_machine_that_built_them(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    for library in (p for p in tmp_path.rglob("*") if ".so" in p.name):
        assert str(ROOT).encode() not in library.read_bytes(), library.name


def test_an_empty_environment_elsewhere_generates_a_token(wheel: Path, tmp_path: Path) -> None:
    model = models.write_alphabet(tmp_path / "alphabet.gguf")
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv/bin/python"
    run(python, "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    out = run(python, "-m", "jan_engine", model, "x", cwd=tmp_path)
    assert out == "yz\n"
    where = run(python, "-c", "import jan_engine; print(jan_engine.__file__)", cwd=tmp_path)
    assert where.startswith(str(tmp_path))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    code = "import sys; from scikit_build_core.build import build_sdist; build_sdist(sys.argv[1])"
    run(sys.executable, "-c", code, folder, cwd=ROOT)
    return next(folder.glob("*.tar.gz"))


def test_the_sdist_carries_a_complete_tree(sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as tar:
        names = tar.getnames()
        tar.extractall(tmp_path)
    top = tmp_path / sdist.name.removesuffix(".tar.gz")
    assert (top / "vendor/llama.cpp/tree/include/llama.h").exists()
    assert (top / "csrc/model.cpp").exists()
    assert (top / "LICENSE").exists()
    # What a build without a network asks first, and what makes it not ask for more.
    run(sys.executable, top / "vendor/llama.cpp/fetch.py", "--check", cwd=tmp_path)
    assert not [n for n in names if "/build/" in n and "tree" not in n]
    assert not [n for n in names if "/.venv" in n or "ggml-vocab-" in n]
    assert sdist.stat().st_size < 30e6
