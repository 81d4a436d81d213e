"""Lanes that trade places, held by a program of tests/csrc to what they were before."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jan_engine import backends
from jan_engine.backend import Status
from tests import architectures
from tests.architectures import GEMMA2, JAMBA, LFM2, LLAMA4, N_CHUNK, N_WINDOW, Architecture
from tests.conftest import ROOT

AROUND = [n + d for n in (N_WINDOW, 8 * N_WINDOW) for d in (-1, 0, 1)]


@pytest.mark.parametrize(
    ("architecture", "lengths"),
    [
        (GEMMA2, AROUND),
        (JAMBA, AROUND),
        (LFM2, AROUND),
        # Where a chunk ends, the next token sees none of it.
        pytest.param(LLAMA4, [100, N_CHUNK], marks=pytest.mark.unsanitized, id="llama4"),
    ],
    ids=lambda value: value.name if isinstance(value, Architecture) else "",
)
def test_lanes_that_trade_places_go_on_as_before(
    model_folder: Path, architecture: Architecture, lengths: list[int]
) -> None:
    cpu = next(b for b in backends() if b.status is Status.LOADED and b.instructions)
    path = architectures.write(model_folder / f"lanes-{architecture.name}.gguf", architecture)
    folder = ROOT / os.environ.get("JAN_BUILD", "build/dev") / "tests/csrc"
    asked = [str(Path(cpu.path).parent), str(path), *map(str, lengths)]
    command = [str(folder / "check_lanes"), *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={})
    assert done.returncode == 0, done.stderr
