"""What is compared: a model's file, and how it is computed with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from jan_engine.errors import InvalidRequest

__all__ = ["CACHE_TYPES", "FLASH", "Settings", "Side", "settings_with"]

CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
FLASH = {"auto": -1, "-1": -1, "off": 0, "0": 0, "on": 1, "1": 1}
_KERNELS = {"jan": True, "llama.cpp": False}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The first three are of the text, alike for everybody who reads it."""

    n_ctx: int = 512  # tokens of a window, of which the second half is scored
    n_windows: int = -1  # -1: as many as the text has
    n_ubatch: int = 512
    n_threads: int = 0
    n_gpu_layers: int = -1
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    flash_attn: int = -1
    jan_kernels: bool = True


class Side(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    settings: Settings = Settings()
    setting: str = ""  # what sets it apart, as somebody gave it: "cache-type=q8_0"

    @property
    def name(self) -> str:
        return f"{self.path.name}, {self.setting}" if self.setting else self.path.name

    @property
    def loaded(self) -> tuple[Path, int, bool]:
        """Sides that are equal in this share a model in memory."""
        return self.path, self.settings.n_gpu_layers, self.settings.jan_kernels


def settings_with(settings: Settings, text: str, field: str) -> Settings:
    """`text` is "cache-type=q8_0,kernels=llama.cpp". Raises InvalidRequest, which names `field`."""
    found: dict[str, Any] = {}
    for part in text.split(","):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        names, read = _READ.get(name, ((), None))
        if not sign or read is None:
            known = ", ".join(dict.fromkeys(_READ))
            raise InvalidRequest(f"{field}: {part!r} is not NAME=VALUE of {known}")
        try:
            found |= dict.fromkeys(names, read(value))
        except (KeyError, ValueError):
            raise InvalidRequest(f"{field}: {name} cannot be {value!r}") from None
    return msgspec.structs.replace(settings, **found)


def _cache_type(text: str) -> str:
    if text not in CACHE_TYPES:
        raise ValueError
    return text


_READ: Mapping[str, tuple[tuple[str, ...], Callable[[str], object]]] = {
    "cache-type": (("cache_type_k", "cache_type_v"), _cache_type),
    "cache-type-k": (("cache_type_k",), _cache_type),
    "cache-type-v": (("cache_type_v",), _cache_type),
    "flash-attn": (("flash_attn",), FLASH.__getitem__),
    "kernels": (("jan_kernels",), _KERNELS.__getitem__),
    "threads": (("n_threads",), int),
    "n-gpu-layers": (("n_gpu_layers",), int),
}
