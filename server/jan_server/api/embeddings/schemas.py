"""The wire of /v1/embeddings."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from jan_server.ids import ModelName

__all__ = ["Embedding", "EmbeddingList", "EmbeddingRequest", "EmbeddingUsage"]


class EmbeddingRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    model: ModelName | None = None  # may be left out where there is only one
    input: str | list[str | int | list[int]] | None = None
    content: str | list[str | int | list[int]] | None = None  # llama-server's name of input
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None  # of longer vectors the first ones
    normalize: bool | None = None  # true: vectors of length one
    embd_normalize: Literal[-1, 2] | None = None  # llama-server's: -1 as they are, 2 of length one
    add_special_tokens: bool | None = None
    truncate: bool | None = None  # a text that is too long loses its end
    truncate_prompt_tokens: Annotated[int, Meta(ge=-1)] | None = None  # -1: to the context


class Embedding(msgspec.Struct, kw_only=True):
    """Base64 is of 32-bit floats, the least significant byte first."""

    object: str = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(msgspec.Struct):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(msgspec.Struct, kw_only=True):
    object: str = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
