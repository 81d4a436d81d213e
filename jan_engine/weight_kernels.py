"""Which kernels compute with which weights of a loaded model."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from jan_engine import _core, log
from jan_engine.errors import ModelError
from jan_engine.model import Model
from jan_engine.native_call import watched

__all__ = ["KernelShare", "Kernels", "WeightUse", "kernel_shares", "weight_uses"]

_OURS = "CPU_JAN"  # as csrc/kernels/buffer_type.cpp calls it
_PURPOSES = {"MUL_MAT": "product", "MUL_MAT_ID": "product by experts", "GET_ROWS": "lookup"}


class Kernels(StrEnum):
    OURS = "ours"
    REPACKED = "upstream's repacked"
    PLAIN = "upstream's plain"
    DEVICE = "of a device"


class WeightUse(msgspec.Struct, frozen=True, kw_only=True):
    """A weight in a forward pass, as it was seen there."""

    name: str
    type: str  # "q4_K"
    operation: str  # in ggml's words: "MUL_MAT", "GET_ROWS"
    buffer: str  # what it lies in: "CPU_JAN", "CPU_REPACK", "CUDA0"
    n_bytes: int  # as in the file
    is_multiplied: bool  # it is the matrix of a product
    is_as_stored: bool  # it lies as in the file
    on_processor: bool  # which computes with it

    @property
    def purpose(self) -> str:
        """What the kernels do with it: what is no product hardly takes time."""
        return _PURPOSES.get(self.operation, "sum or scale")

    @property
    def kernels(self) -> Kernels:
        if not self.on_processor:
            return Kernels.DEVICE
        if self.buffer == _OURS:
            return Kernels.OURS
        return Kernels.PLAIN if self.is_as_stored else Kernels.REPACKED


class KernelShare(msgspec.Struct, frozen=True, kw_only=True):
    """Weights that have their type, purpose and kernels in common."""

    type: str
    purpose: str
    kernels: Kernels
    buffer: str
    n_weights: int
    n_bytes: int
    share: float  # of the bytes of all


def weight_uses(model: Model) -> list[WeightUse]:
    """Runs three tokens through the model and watches; in the order of first use.

    Raises UnsupportedFeature, OutOfMemory, BadModelFile and BackendFailure. A table of embeddings
    that is the matrix of the output too comes twice where each use has a place of its own.
    """

    def call(_: _core.Progress) -> list[dict[str, object]]:
        return model.core.weight_uses()

    try:
        return msgspec.convert(watched(call, None, "jan-weights"), list[WeightUse])
    except ModelError as error:
        error.path = str(model.path)
        raise
    finally:
        log.forward()


def kernel_shares(uses: Sequence[WeightUse]) -> list[KernelShare]:
    """Those with most bytes first."""
    alike: dict[tuple[str, str, Kernels, str], list[WeightUse]] = {}
    for use in uses:
        alike.setdefault((use.type, use.purpose, use.kernels, use.buffer), []).append(use)
    total = sum(use.n_bytes for use in uses)
    shares = [
        KernelShare(
            type=type_name,
            purpose=purpose,
            kernels=kernels,
            buffer=buffer,
            n_weights=len(some),
            n_bytes=(n_bytes := sum(use.n_bytes for use in some)),
            share=n_bytes / total,
        )
        for (type_name, purpose, kernels, buffer), some in alike.items()
    ]
    return sorted(shares, key=lambda one: -one.n_bytes)
