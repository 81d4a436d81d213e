"""The wire of /v1/rerank, as Jina and Cohere have it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from jan_server.ids import ModelName

__all__ = [
    "DocumentText",
    "RankedDocument",
    "RankedList",
    "RerankRequest",
    "RerankUsage",
]


class DocumentText(msgspec.Struct):
    """A document as Cohere's clients may send it; what else it has is not read."""

    text: str


class RerankRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    model: ModelName | None = None  # may be left out where there is only one
    query: str
    documents: list[str | DocumentText] | None = None
    texts: list[str] | None = None  # TEI's name of documents
    top_n: Annotated[int, Meta(ge=1)] | None = None
    return_documents: bool | None = None
    return_text: bool | None = None  # TEI's name of it

    @property
    def document_texts(self) -> list[str]:
        given = self.texts if self.documents is None else self.documents
        return [one if isinstance(one, str) else one.text for one in given or []]


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
