"""Low-rank adapters of seeded noise, for tests and measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from bench.shapes import Shape

__all__ = ["write_adapter"]


def write_adapter(
    path: Path,
    shape: Shape,
    *,
    seed: int,
    rank: int,
    strength: float,
    numbers: type[np.floating[Any]],
    onto: Callable[[str], bool] = lambda _: True,
    invocation: Sequence[int] = (),
) -> Path:
    """Onto those matrices of a model's blocks that `onto` says yes to."""
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, shape.architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", rank * strength)
    writer.add_name(path.stem)
    if invocation:
        writer.add_key_value(
            "adapter.alora.invocation_tokens",
            list(invocation),
            gguf.GGUFValueType.ARRAY,
            gguf.GGUFValueType.UINT32,
        )
    for name, dims in shape.tensors(1):
        if name.startswith("blk.") and len(dims) == 2 and onto(name):
            n_out, n_in = dims
            for suffix, pair in (("a", (rank, n_in)), ("b", (n_out, rank))):
                noise = rng.standard_normal(pair, np.float32) * np.float32(pair[1] ** -0.5)
                writer.add_tensor(f"{name}.lora_{suffix}", noise.astype(numbers))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
