"""The ceiling: upstream's kernels without a server, a sampler or a caller."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench.serving.llama_server import PROGRAMS
from jan_bench.peers.batched_bench import batched_bench

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
    (row,) = batched_bench(
        PROGRAMS,
        model,
        n_prompt=n_prompt,
        n_out=n_out,
        streams=[n_streams],
        n_threads=n_threads,
        n_cells=n_streams * 512,
        flags=["-ub", "512", "-b", "2048", "--kv-unified" if unified else "--no-kv-unified"],
    )
    return Ceiling(prompt_s=row["t_pp"], decode_s=row["t_tg"])
