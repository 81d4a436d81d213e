"""What a model file says of itself, from its header alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jan_engine.errors import BadModelFile
from jan_engine.gguf import Header, check_model
from jan_engine.weights import weights_of

__all__ = ["header_facts", "model_headers"]

_MOST_CHARACTERS = 4096  # of a text that is shown; a file may claim any
_PROJECTOR = "clip"


def model_headers(path: Path) -> list[Header]:
    """Of every file of a model, checked. Raises ModelNotFound or BadModelFile."""
    headers = check_model(path)
    if headers[0].metadata.get("general.architecture") == _PROJECTOR:
        raise BadModelFile("this file turns images into tokens for a model, and is none itself")
    return headers


def header_facts(headers: list[Header]) -> dict[str, Any]:
    """Fields of StoredModel."""
    metadata = headers[0].metadata
    weights = weights_of(headers)
    architecture = _text(metadata.get("general.architecture"))
    n_ctx = metadata.get(f"{architecture}.context_length", 0)
    return {
        "name": _text(metadata.get("general.name")),
        "description": _text(metadata.get("general.description")),
        "author": _text(metadata.get("general.author") or metadata.get("general.organization")),
        "license": _text(metadata.get("general.license")),
        "architecture": architecture,
        "quantization": weights.quantization,
        "size_label": _text(metadata.get("general.size_label")),
        "n_params": weights.n_params,
        "bits_per_weight": weights.bits_per_weight,
        "n_ctx_train": n_ctx if isinstance(n_ctx, int) and 0 <= n_ctx < 2**31 else 0,
        "chat_template": _text(metadata.get("tokenizer.chat_template"), most=256 * 1024),
    }


def _text(value: object, *, most: int = _MOST_CHARACTERS) -> str:
    """Nothing for what is no text, or longer than anybody would write."""
    return value if isinstance(value, str) and len(value) <= most else ""
