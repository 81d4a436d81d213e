"""Upstream's own programs, built from the tree that a checkout pins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from jan_engine.errors import InvalidRequest, Unavailable

__all__ = ["find_programs"]

_NAMES = ("llama-server", "llama-batched-bench", "llama-bench", "llama-perplexity")


def find_programs(checkout: Path, *, build: bool) -> Path:
    """Their folder. Built, in minutes, where they are not there or `build` says so. Raises
    InvalidRequest where this is no checkout, Unavailable where they cannot be built.
    """
    source, made = checkout / "bench/peers", checkout / "build/peers"
    if not (source / "CMakeLists.txt").exists():
        raise InvalidRequest(
            f"checkout: {checkout} has no bench/peers; peers are built from the source tree"
        )
    folder = made / "bin"
    if build or not all((folder / name).exists() for name in _NAMES):
        cmake = shutil.which("cmake", path=str(Path(sys.executable).parent)) or shutil.which(
            "cmake"
        )
        if cmake is None:
            raise Unavailable("there is no cmake to build them with", "pip install cmake ninja")
        print(f"building upstream's programs in {made}", file=sys.stderr, flush=True)
        for command in (
            [cmake, "-S", str(source), "-B", str(made)],
            [cmake, "--build", str(made), "--parallel", str(os.cpu_count() or 1)],
        ):
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            if done.returncode:
                raise Unavailable("they could not be built", done.stdout[-2000:])
    return folder
