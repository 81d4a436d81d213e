"""How many layers of a model lie on GPUs: as many as their free memory holds."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from jan_engine.backend import Device, DeviceKind
from jan_engine.gguf import Header

__all__ = ["ALL_LAYERS", "LayerSizes", "gpu_bytes", "layer_sizes", "layers_that_fit", "place"]

ALL_LAYERS = -1
_SHARE_OF_FREE = 0.9  # the rest is for a driver's own needs
_WORK_BYTES = 384 * 1024 * 1024  # of a pass on each GPU, about, and of its libraries
_BLOCK = re.compile(r"blk\.(\d+)\.")


class LayerSizes(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that lie where a layer lies."""

    layers: list[int]  # weights of each, in their order
    output: int  # weights of what follows the last
    cache: float  # KV cache of each layer


def place(found: Sequence[Device], headers: Sequence[Header], cache_bytes: float) -> int:
    """For `n_gpu_layers`: as many as there is room for now, 0 to all. Without a GPU that has memory
    of its own it is left to llama.cpp.
    """
    if not any(one.kind is DeviceKind.GPU for one in found):
        return ALL_LAYERS
    return layers_that_fit(layer_sizes(headers, cache_bytes), gpu_bytes(found))


def layer_sizes(headers: Sequence[Header], cache_bytes: float) -> LayerSizes:
    """From the headers of all parts; `cache_bytes` is the whole KV cache's."""
    layers: dict[int, int] = {}
    output = embedding = 0
    has_output = False
    for tensor in (tensor for header in headers for tensor in header.tensors):
        block = _BLOCK.match(tensor.name)
        if block:
            layers[int(block[1])] = layers.get(int(block[1]), 0) + tensor.n_bytes
        elif tensor.name.startswith("token_embd"):
            embedding += tensor.n_bytes
        else:
            has_output = has_output or tensor.name == "output.weight"
            output += tensor.n_bytes
    if not has_output:  # the embeddings serve again, in a copy beside the last layer
        output += embedding
    n = max(1, len(layers))
    return LayerSizes(
        layers=[layers[i] for i in sorted(layers)], output=output, cache=cache_bytes / n
    )


def gpu_bytes(found: Sequence[Device]) -> int:
    """What a model may take of the GPUs' memory; 0 without one. Integrated ones have no own."""
    on = [one.memory_free for one in found if one.kind is DeviceKind.GPU]
    return sum(max(0, int(free * _SHARE_OF_FREE) - _WORK_BYTES) for free in on)


def layers_that_fit(sizes: LayerSizes, n_bytes: int) -> int:
    """For `n_gpu_layers`: ALL_LAYERS, or fewer, down to 0.

    llama.cpp places from the end: the first to go to a GPU is what follows the last layer.
    """
    taken = float(sizes.output)
    if taken > n_bytes:
        return 0
    n = 1
    for weights in reversed(sizes.layers):
        taken += weights + sizes.cache
        if taken > n_bytes:
            return n
        n += 1
    return ALL_LAYERS
