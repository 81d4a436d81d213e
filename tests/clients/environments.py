"""Environments that `make clients` makes: each has a client that others wrote."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "build/clients"


def program(environment: str, name: str = "python") -> str:
    """Its path; the test is skipped where the environment is not there."""
    found = FOLDER / environment / "bin" / name
    if not found.exists():
        pytest.skip(f"there is no environment {environment}: make clients")
    return str(found)


def ran(
    *arguments: str | Path, seconds: float = 120, environment: Mapping[str, str] | None = None
) -> str:
    """What it prints. Fails with that, where the program does."""
    ended = subprocess.run(
        arguments, capture_output=True, text=True, timeout=seconds, check=False, env=environment
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
