"""A program may end in the middle of anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unsanitized

ASYNC = """
import asyncio, sys
from jan_engine import AsyncEngine, EngineOptions, Request
options = EngineOptions(n_parallel=2, n_ctx=4096, n_threads=1)
async def main():
    engine = AsyncEngine(sys.argv[1], options)
    kept.append(engine)
    async for event in engine.submit(Request(prompt="a", ignore_eos=True)):
        break
kept = []
asyncio.run(main())
sys.exit(7)
"""
SCRIPT = """
import sys
from jan_engine import LLM, EngineOptions
kept = LLM(sys.argv[1], EngineOptions(n_parallel=2, n_ctx=4096, n_threads=1))
raise SystemExit(7)
"""


@pytest.mark.parametrize("program", [ASYNC, SCRIPT])
def test_without_closing_anything(random_path: Path, program: str) -> None:
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", program, str(random_path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (7, "")
