"""The most that upstream's server could reach: its kernels alone, in the better cache layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jan_bench.peers.batched_bench import batched_bench
from jan_bench.peers.contestants import Shape

__all__ = ["ceiling", "ceiling_per_s"]


def ceiling(shape: Shape, programs: Path, *, n_input: int, n_output: int) -> dict[str, Any]:
    """llama-batched-bench's row of the faster of its two cache layouts, with the layout's flag.
    Raises Unavailable where it prints none.
    """
    rows: list[dict[str, Any]] = []
    for layout in ("--kv-unified", "--no-kv-unified"):
        (row,) = batched_bench(
            programs,
            shape.model,
            n_prompt=n_input,
            n_out=n_output,
            streams=[shape.n_streams],
            n_threads=shape.n_threads,
            n_cells=shape.n_streams * shape.n_ctx,
            flags=[layout, "-ub", str(shape.n_ubatch)],
        )
        rows.append({**row, "layout": layout})
    return max(rows, key=ceiling_per_s)


def ceiling_per_s(row: dict[str, Any]) -> float:
    """Tokens out per second, the reading of the prompts included."""
    n_output: int = row["pl"] * row["tg"]
    seconds: float = row["t_pp"] + row["t_tg"]
    return n_output / seconds
