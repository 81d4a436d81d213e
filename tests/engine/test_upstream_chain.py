"""Samplers that need a vocabulary, held to upstream's by a program of tests/csrc."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from jan_engine import backends
from jan_engine.backend import Status
from tests.conftest import ROOT


def test_what_upstream_does_for_us_it_does_as_alone(random_path: Path) -> None:
    cpu = next(b for b in backends() if b.status is Status.LOADED and b.instructions)
    folder = ROOT / os.environ.get("JAN_BUILD", "build/dev") / "tests/csrc"
    command = [str(folder / "check_upstream_chain"), cpu.path, str(random_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={})
    assert done.returncode == 0, done.stderr
