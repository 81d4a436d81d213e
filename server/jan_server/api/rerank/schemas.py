"""The wire of /v1/rerank, as Jina and Cohere have it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

__all__ = ["RankedDocument", "RankedList", "RerankRequest", "RerankUsage"]


class RerankRequest(msgspec.Struct, kw_only=True):
    model: str
    query: str
    documents: list[str]
    top_n: Annotated[int, Meta(ge=1)] | None = None
    return_documents: bool | None = None


class RankedDocument(msgspec.Struct, kw_only=True):
    index: int  # in the request
    relevance_score: float
    document: str | UnsetType = UNSET


class RerankUsage(msgspec.Struct):
    prompt_tokens: int
    total_tokens: int


class RankedList(msgspec.Struct, kw_only=True):
    object: str = "list"
    model: str
    results: list[RankedDocument]  # the best first
    usage: RerankUsage
