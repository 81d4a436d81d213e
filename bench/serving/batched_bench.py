"""The ceiling: upstream's kernels without a server, a sampler or a caller."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec

from bench.serving.llama_server import PROGRAMS

__all__ = ["Ceiling", "ceiling"]


class Ceiling(msgspec.Struct, frozen=True):
    prompt_s: float
    decode_s: float

    @property
    def total_s(self) -> float:
        return self.prompt_s + self.decode_s


def ceiling(
    model: Path, *, n_streams: int, n_prompt: int, n_out: int, n_threads: int, unified: bool
) -> Ceiling:
    command = [str(PROGRAMS / "llama-batched-bench"), "-m", str(model), "-ub", "512", "-b", "2048"]
    command += ["-t", str(n_threads), "-tb", str(n_threads), "-c", str(n_streams * 512)]
    command += ["-npp", str(n_prompt), "-ntg", str(n_out), "-npl", str(n_streams)]
    command += ["--kv-unified" if unified else "--no-kv-unified", "--output-format", "jsonl"]
    for _ in range(5):  # its log ends with the process, once in a while before the last line
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                row = msgspec.json.decode(line.encode())
                return Ceiling(prompt_s=row["t_pp"], decode_s=row["t_tg"])
    raise RuntimeError("llama-batched-bench printed no figures")
