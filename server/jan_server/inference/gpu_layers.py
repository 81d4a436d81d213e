"""How many of a model's layers go to GPUs where the settings leave it open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jan_engine.backend import Device
from jan_engine.gguf import check_model
from jan_engine.memory_needs import cache_bytes_per_token, longest_context
from jan_engine.placement import ALL_LAYERS, place
from jan_server.config import Settings

__all__ = ["chosen_gpu_layers"]


def chosen_gpu_layers(path: Path, settings: Settings, found: Sequence[Device]) -> int:
    """As many as fit beside what is there now. A number in the settings is what was asked for."""
    if settings.n_gpu_layers != ALL_LAYERS:
        return settings.n_gpu_layers
    headers = check_model(path)
    n_cells = longest_context(headers, settings.ctx_size) * settings.parallel
    cache = cache_bytes_per_token(headers, settings.cache_type) * n_cells
    return place(found, headers, cache)
