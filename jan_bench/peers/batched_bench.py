"""llama-batched-bench: upstream's kernels with no server, sampler or caller around them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from jan_engine.errors import Unavailable

__all__ = ["batched_bench"]

_ATTEMPTS = 5  # its log ends with the process, once in a while before the last line


def batched_bench(
    programs: Path,
    model: Path,
    *,
    n_prompt: int,
    n_out: int,
    streams: Sequence[int],
    n_threads: int,
    n_cells: int,
    flags: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Its rows, one for each number of streams. Raises Unavailable where it does not print them."""
    command = [str(programs / "llama-batched-bench"), "-m", str(model), *flags]
    command += ["-t", str(n_threads), "-tb", str(n_threads), "-c", str(n_cells)]
    command += ["-npp", str(n_prompt), "-ntg", str(n_out), "-npl", ",".join(map(str, streams))]
    said = ""
    for _ in range(_ATTEMPTS):
        done = subprocess.run(
            [*command, "--output-format", "jsonl"], capture_output=True, text=True, check=False
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if len(lines) == len(streams):
            return [msgspec.json.decode(line, type=dict[str, Any]) for line in lines]
        said = done.stderr[-1000:]
    raise Unavailable("llama-batched-bench printed no figures", said)
