"""Upstream's kernels with no server, sampler or caller around them: llama-batched-bench."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec

from jan_bench.peers.contestants import Shape
from jan_engine.errors import Unavailable

__all__ = ["ceiling", "ceiling_per_s"]

_ATTEMPTS = 3  # its log ends with the process, once in a while before the last line


def ceiling(shape: Shape, programs: Path, *, n_input: int, n_output: int) -> dict[str, Any]:
    """llama-batched-bench's row of the faster of its two cache layouts, with the layout's flag.
    Raises Unavailable where it prints none.
    """
    rows: list[dict[str, Any]] = []
    for layout in ("--kv-unified", "--no-kv-unified"):
        command = [str(programs / "llama-batched-bench"), "-m", str(shape.model), layout]
        command += ["-t", str(shape.n_threads), "-tb", str(shape.n_threads)]
        command += ["-c", str(shape.n_streams * shape.n_ctx), "-ub", str(shape.n_ubatch)]
        command += ["-npp", str(n_input), "-ntg", str(n_output), "-npl", str(shape.n_streams)]
        rows.append(_row([*command, "--output-format", "jsonl"]) | {"layout": layout})
    return max(rows, key=ceiling_per_s)


def ceiling_per_s(row: dict[str, Any]) -> float:
    """Tokens out per second, the reading of the prompts included."""
    n_output: int = row["pl"] * row["tg"]
    seconds: float = row["t_pp"] + row["t_tg"]
    return n_output / seconds


def _row(command: list[str]) -> dict[str, Any]:
    said = ""
    for _ in range(_ATTEMPTS):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                return msgspec.json.decode(line, type=dict[str, Any])
        said = done.stderr[-1000:]
    raise Unavailable("llama-batched-bench printed no figures", said)
