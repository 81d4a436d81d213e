"""ggml's element types: their names, and what they take."""

from __future__ import annotations

from functools import cache

from jan_engine import _core
from jan_engine.errors import InvalidRequest

__all__ = ["bytes_per_number", "tensor_types"]


@cache
def tensor_types() -> dict[int, tuple[str, int, int]]:
    """id -> name, elements per block, bytes per block."""
    return {kind[0]: kind[1:] for kind in _core.list_tensor_types()}


def bytes_per_number(type_name: str) -> float:
    """In a tensor or a cache of that type, such as "q8_0"."""
    for name, n_block, block_bytes in tensor_types().values():
        if name.lower() == type_name.lower():
            return block_bytes / n_block
    raise InvalidRequest(f"type_name: there is no type {type_name!r}")
