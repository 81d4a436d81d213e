"""The wire of /v1/models: what several kinds of client read of a model, in one object."""

from __future__ import annotations

import msgspec

__all__ = ["ModelInfo", "ModelList"]


class ModelInfo(msgspec.Struct, kw_only=True):
    id: str
    object: str = "model"
    created: int  # when the file was written
    owned_by: str = "jan"
    source_url: str
    name: str
    version: str = "1.0"
    description: str
    format: str = "gguf"
    ctx_len: int  # what the model was trained for
    prompt_template: str
    temperature: float = 0.8
    top_p: float = 0.95
    stream: bool = False
    max_tokens: int
    stop: list[str] = []
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    author: str
    tags: list[str]
    size: int  # bytes
    cover: str = ""
    engine: str = "llamacpp"
    type: str = "model"
    state: str | None = "ready"
    settings: dict[str, str]
    parameters: dict[str, str]
    metadata: dict[str, str]
    assets: list[str]


class ModelList(msgspec.Struct, kw_only=True):
    object: str = "list"
    data: list[ModelInfo]
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool = False
    total: int
    next_after: str | None = None
