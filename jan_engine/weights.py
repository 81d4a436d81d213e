"""What a model's weights are stored as and how many there are, from its headers alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import msgspec

from jan_engine.gguf import Header

__all__ = ["Weights", "weights_of"]

# enum llama_ftype in llama.h, by the names that files are called by.
_FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4",
    39: "NVFP4",
    40: "Q1_0",
    41: "Q2_0",
}


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    quantization: str
    n_params: int
    n_bytes: int  # of all tensors
    bits_per_weight: float


def weights_of(headers: Sequence[Header]) -> Weights:
    """Of every file of a model."""
    tensors = [tensor for header in headers for tensor in header.tensors]
    n_params = sum(math.prod(tensor.shape) for tensor in tensors)
    n_bytes = sum(tensor.n_bytes for tensor in tensors)
    return Weights(
        quantization=_quantization(headers),
        n_params=n_params,
        n_bytes=n_bytes,
        bits_per_weight=round(8 * n_bytes / n_params, 2) if n_params else 0.0,
    )


def _quantization(headers: Sequence[Header]) -> str:
    """As the file says; else the type that most of its bytes have."""
    stated = headers[0].metadata.get("general.file_type")
    if isinstance(stated, int) and stated in _FILE_TYPES:
        return _FILE_TYPES[stated]
    n_bytes: Counter[str] = Counter()
    for header in headers:
        for tensor in header.tensors:
            n_bytes[tensor.type] += tensor.n_bytes
    return n_bytes.most_common(1)[0][0].upper() if n_bytes else ""
