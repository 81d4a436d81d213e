"""What a model file says of itself, from its header alone."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from jan_engine.errors import BadModelFile
from jan_engine.gguf import Header, read_header, split_paths

__all__ = ["header_facts", "model_headers"]

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
_MOST_CHARACTERS = 4096  # of a text that is shown; a file may claim any
_PROJECTOR = "clip"


def model_headers(path: Path) -> list[Header]:
    """Of every file of a model, checked. Raises ModelNotFound or BadModelFile."""
    first = read_header(path)
    if first.metadata.get("general.architecture") == _PROJECTOR:
        raise BadModelFile("this file turns images into tokens for a model, and is none itself")
    return [first, *(read_header(part) for part in split_paths(first)[1:])]


def header_facts(headers: list[Header]) -> dict[str, Any]:
    """Fields of StoredModel."""
    metadata = headers[0].metadata
    tensors = [tensor for header in headers for tensor in header.tensors]
    n_params = sum(math.prod(tensor.shape) for tensor in tensors)
    n_bytes = sum(tensor.n_bytes for tensor in tensors)
    architecture = _text(metadata.get("general.architecture"))
    n_ctx = metadata.get(f"{architecture}.context_length", 0)
    return {
        "name": _text(metadata.get("general.name")),
        "description": _text(metadata.get("general.description")),
        "author": _text(metadata.get("general.author") or metadata.get("general.organization")),
        "license": _text(metadata.get("general.license")),
        "architecture": architecture,
        "quantization": _quantization(headers),
        "size_label": _text(metadata.get("general.size_label")),
        "n_params": n_params,
        "bits_per_weight": round(8 * n_bytes / n_params, 2) if n_params else 0.0,
        "n_ctx_train": n_ctx if isinstance(n_ctx, int) and 0 <= n_ctx < 2**31 else 0,
        "chat_template": _text(metadata.get("tokenizer.chat_template"), most=256 * 1024),
    }


def _quantization(headers: list[Header]) -> str:
    """As the file says; else the type that most of its bytes have."""
    stated = headers[0].metadata.get("general.file_type")
    if isinstance(stated, int) and stated in _FILE_TYPES:
        return _FILE_TYPES[stated]
    n_bytes: Counter[str] = Counter()
    for header in headers:
        for tensor in header.tensors:
            n_bytes[tensor.type] += tensor.n_bytes
    return n_bytes.most_common(1)[0][0].upper() if n_bytes else ""


def _text(value: object, *, most: int = _MOST_CHARACTERS) -> str:
    """Nothing for what is no text, or longer than anybody would write."""
    return value if isinstance(value, str) and len(value) <= most else ""
