"""What is kept of a model. Importing this costs nothing, so that `jan list` may."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import msgspec

__all__ = ["DATABASE", "ModelFile", "Placement", "StoredModel"]

_QUERY_HASH = re.compile(r"(https?://.*)#[0-9a-f]{32}", re.DOTALL)
DATABASE = "models.db"  # in the models folder
Placement = Literal["managed", "linked", "found", "packaged"]
"""managed: below our folder, ours to delete. linked: a file somewhere else, named by a person.
found: in a folder of another tool that was registered. packaged: comes with jan-engine, has no row.
"""


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    path: str  # of a managed model relative to the models folder
    n_bytes: int
    sha256: str = ""  # "": never computed
    is_projector: bool = False  # turns images into tokens


class StoredModel(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    placement: Placement
    source: str  # where it came from, as a source's key: hf:…, https://…, file://…
    folder: str = ""  # the registered folder of a found one
    files: list[ModelFile]  # the first is the one to load
    created_at: int  # unix seconds
    modified_ns: int = 0  # of a linked or found file when its header was read
    name: str = ""
    description: str = ""
    author: str = ""
    license: str = ""
    architecture: str = ""
    quantization: str = ""
    size_label: str = ""
    n_params: int = 0
    bits_per_weight: float = 0.0
    n_ctx_train: int = 0
    chat_template: str = ""
    settings: dict[str, Any] = {}  # of `Settings`, for this model alone
    aliases: list[str] = []

    @property
    def shown_source(self) -> str:
        """Without the hash that tells queries of an address apart."""
        return found[1] if (found := _QUERY_HASH.fullmatch(self.source)) else self.source

    @property
    def n_bytes(self) -> int:
        return sum(file.n_bytes for file in self.files)

    @property
    def sha256(self) -> str:
        return self.files[0].sha256

    def path(self, models: Path) -> Path:
        """Of the file to load. `models` is the folder that managed ones lie below."""
        return models / self.files[0].path  # an absolute path stays what it is

    def is_here(self, models: Path) -> bool:
        return all((models / file.path).is_file() for file in self.files)
