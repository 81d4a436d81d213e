"""A CPU variant that traps ends a child process, and the next best one computes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from jan_engine import _core
from jan_engine.cpu_variant import FOUND
from tests.conftest import ROOT

pytestmark = pytest.mark.unsanitized

PACKAGE = Path(_core.__file__).resolve().parent
REAL_CPU = next(path for path in (PACKAGE / "backends").glob("libggml-cpu*.so"))
HEADERS = [ROOT / "vendor/llama.cpp/tree/ggml" / folder for folder in ("include", "src")]
IN_THAT_PACKAGE = (
    "import sys; from pathlib import Path; from jan_engine import backend\n"
    "backend._PACKAGE = Path(sys.argv[1])\n"
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a real variant, and a better one that traps in its first pass."""
    folder = tmp_path / "package"
    for name in ("backends", "wrapped"):  # beside the folder of the libraries that they need
        (folder / name).mkdir(parents=True)
    (folder / "lib").symlink_to(PACKAGE / "lib")
    shutil.copy(PACKAGE / "_build.json", folder)
    shutil.copy(REAL_CPU, folder / "backends/libggml-cpu-real.so")
    wrapped = shutil.copy(REAL_CPU, folder / "wrapped")  # a library is another by its file alone
    trap = folder / "backends/libggml-cpu-trap.so"
    command = [os.environ.get("CC", "cc"), "-shared", "-fPIC", f'-DREAL_VARIANT="{wrapped}"']
    command += [f"-I{header}" for header in HEADERS]
    source = Path(__file__).with_name("trapping_variant.c")
    subprocess.run([*command, "-o", str(trap), str(source)], check=True)
    monkeypatch.setenv("JAN_CACHE_DIR", str(tmp_path / "cache"))
    return folder


def run(package: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", IN_THAT_PACKAGE + code, str(package), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


ANSWER = (
    "import logging; logging.basicConfig(level=logging.WARNING)\n"
    "import jan_engine\n"
    "model = jan_engine.Model(sys.argv[2])\n"
    "runner = jan_engine.GreedyRunner(model, n_ctx=128)\n"
    "print(len(list(runner.generate(model.tokenize('a')))))"
)


def test_the_variant_of_this_fixture_traps(package: Path, alphabet_path: Path) -> None:
    code = f"backend.load_only(backend._PACKAGE / 'backends', 'cpu-trap')\n{ANSWER}"
    assert run(package, code, str(alphabet_path)).returncode == -signal.SIGILL


def test_the_next_best_variant_computes_and_a_line_says_so(
    package: Path, alphabet_path: Path
) -> None:
    first = run(package, ANSWER, str(alphabet_path))
    assert (first.returncode, first.stdout) == (0, "25\n"), first.stderr
    (line,) = first.stderr.splitlines()
    assert "cpu-trap ended with SIGILL" in line
    assert "cpu-real computes instead" in line
    (found,) = json.loads(FOUND.path().read_text()).values()
    assert found == {"passed": "cpu-real", "crashed": {"cpu-trap": "SIGILL"}}


def test_what_trapped_is_remembered_until_the_build_changes(package: Path) -> None:
    code = (
        "import subprocess; n_children = 0\n"
        "start = subprocess.Popen.__init__\n"
        "def counted(self, *args, **kwargs):\n"
        "    global n_children; n_children += 1; start(self, *args, **kwargs)\n"
        "subprocess.Popen.__init__ = counted\n"
        "import jan_engine; jan_engine.devices(); print(n_children)"
    )
    assert run(package, code).stdout == "2\n"
    assert run(package, code).stdout == "0\n"
    (package / "backends/libggml-cpu-trap.so").touch()
    assert run(package, code).stdout == "2\n"


def test_the_doctor_names_it(package: Path) -> None:
    code = "from jan_server.cli import doctor; doctor.run(['--offline'])"
    told = run(package, code).stdout
    assert "cpu-trap: crashed ended with SIGILL when it was tried on this processor" in told


def test_a_server_runs_with_the_next_best_variant(package: Path, alphabet_path: Path) -> None:
    code = "from jan_server.cli.main import main; main(sys.argv[2:])"
    command = [sys.executable, "-c", IN_THAT_PACKAGE + code, str(package), "serve"]
    command += [str(alphabet_path), "--port", "0", "-c", "128", "-np", "1", "-t", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        said: list[str] = []
        found = None
        try:
            assert server.stderr is not None
            for line in server.stderr:
                said.append(line)
                if found := re.match(r"(http://\S+)/v1,", line):
                    break
            assert found, said
            body = {"model": "alphabet", "prompt": "a", "max_tokens": 3}
            answer = httpx.post(f"{found[1]}/v1/completions", json=body, timeout=60)
            assert answer.json()["choices"][0]["text"] == "bcd", answer.text
        finally:
            server.terminate()
    assert sum("cpu-trap ended with SIGILL" in line for line in said) == 1


def test_where_all_variants_trap_nothing_is_loaded(package: Path, alphabet_path: Path) -> None:
    (package / "backends/libggml-cpu-real.so").unlink()
    done = run(package, ANSWER, str(alphabet_path))
    assert done.returncode == 1  # an exception, not a signal
    assert "BackendFailure" in done.stderr
    assert "ended with SIGILL" in done.stderr


def test_a_child_that_cannot_run_stands_in_nobodys_way(package: Path, alphabet_path: Path) -> None:
    (package / "backends/libggml-cpu-trap.so").unlink()
    code = f"sys.executable = '/nowhere/python'\n{ANSWER}"
    done = run(package, code, str(alphabet_path))
    assert (done.returncode, done.stdout) == (0, "25\n"), done.stderr
    assert not FOUND.path().exists()
