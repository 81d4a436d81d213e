"""The wire of /v1/models: what several kinds of client read of a model, in one object."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

__all__ = [
    "Catalog",
    "CatalogArchitecture",
    "CatalogList",
    "ModelAction",
    "ModelDeleted",
    "ModelInfo",
    "ModelList",
    "Provider",
    "ProviderList",
    "PullRequest",
    "StartRequest",
]


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
    parameters: dict[str, Any]  # texts in a list, numbers where one model is told
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


class PullRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where to get a model. One of the first four, by whichever name a client knows."""

    source_url: str | None = None
    url: str | None = None
    model: str | None = None
    id: str | None = None  # what to call it, beside one of the others
    sha256: str | None = None
    filename: str | None = None  # what to call it is made from this
    mmproj: bool | None = None
    wait: bool | None = None  # answer when it is here


class StartRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Settings for this time, in place of the server's."""

    model: str | None = None  # where the path does not say
    ctx_len: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    ngl: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    n_parallel: Annotated[int, Meta(ge=1, le=256)] | None = None
    embedding: bool | None = None  # every model makes vectors here


class ModelAction(msgspec.Struct, kw_only=True):
    id: str
    object: str = "model"
    state: str


class ModelDeleted(msgspec.Struct, kw_only=True):
    id: str
    object: str = "model"
    deleted: bool = True


class CatalogArchitecture(msgspec.Struct, kw_only=True):
    modality: str = "text->text"
    input_modalities: list[str] = msgspec.field(default_factory=lambda: ["text"])
    output_modalities: list[str] = msgspec.field(default_factory=lambda: ["text"])
    tokenizer: str
    instruct_type: str | None = None


class Catalog(msgspec.Struct, kw_only=True):
    id: str
    public_id: str
    model_display_name: str
    description: str
    notes: str = ""
    family: str
    tags: list[str]
    context_length: int
    architecture: CatalogArchitecture
    supported_parameters: dict[str, Any]
    supports_images: bool = False
    supports_embeddings: bool = True
    supports_reasoning: bool = False
    supports_instruct: bool
    supports_audio: bool = False
    supports_video: bool = False
    supports_tools: bool
    supports_browser: bool = False
    active: bool = True
    experimental: bool = False
    is_moderated: bool = False
    requires_feature_flag: str | None = None
    status: str = "filled"
    extras: dict[str, str]
    created_at: int
    updated_at: int
    last_synced_at: int


class CatalogList(msgspec.Struct, kw_only=True):
    object: str = "list"
    data: list[Catalog]


class Provider(msgspec.Struct, kw_only=True):
    id: str = "jan"
    name: str = "Jan"
    vendor: str = "jan"
    base_url: str
    category: str = "llm"
    active: bool = True
    endpoints: list[dict[str, Any]]
    default_provider_image_generate: bool = False
    default_provider_image_edit: bool = False
    metadata: dict[str, str] = {}


class ProviderList(msgspec.Struct, kw_only=True):
    object: str = "list"
    data: list[Provider]
