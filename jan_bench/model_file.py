"""The model that something was measured with: which bytes, and what they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from jan_engine.errors import ModelNotFound
from jan_engine.gguf import check_model
from jan_engine.weights import weights_of

__all__ = ["ModelFile", "read_model_file"]


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    n_bytes: int  # of all its files
    sha256: list[str]  # of each file, in order; empty where nobody wanted to wait for it
    architecture: str
    name: str = ""
    quantization: str
    bits_per_weight: float
    n_params: int


def read_model_file(path: Path, *, hashed: bool = True) -> ModelFile:
    """Raises ModelNotFound or BadModelFile. `hashed` reads all of it."""
    headers = check_model(path)
    first = headers[0]
    paths = [Path(header.path) for header in headers]
    weights = weights_of(headers)
    try:
        n_bytes = sum(part.stat().st_size for part in paths)
        sha256 = [_sha256(part) for part in paths] if hashed else []
    except OSError as error:  # it went away, or cannot be read to its end
        raise ModelNotFound(f"cannot read {path}: {error.strerror or error}") from error
    return ModelFile(
        path=str(path),
        n_bytes=n_bytes,
        sha256=sha256,
        architecture=str(first.metadata.get("general.architecture", "")),
        name=str(first.metadata.get("general.name", "")),
        quantization=weights.quantization,
        bits_per_weight=weights.bits_per_weight,
        n_params=weights.n_params,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
