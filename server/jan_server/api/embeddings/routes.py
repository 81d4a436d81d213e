"""POST /v1/embeddings."""

from __future__ import annotations

from litestar import post
from litestar.params import RawBody
from litestar.types import ASGIApp

from jan_server.answers import WholeAnswer
from jan_server.api.embeddings.foreign import FOREIGN_EMBEDDING
from jan_server.api.embeddings.schemas import EmbeddingList, EmbeddingRequest
from jan_server.api.embeddings.service import begin
from jan_server.requests import HttpRequest, Models, RouteFacts, describe, read

__all__ = ["create_embedding"]

_FACTS = RouteFacts(
    tag="Embeddings", reads=EmbeddingRequest, foreign=FOREIGN_EMBEDDING, gives=EmbeddingList
)


@post("/v1/embeddings", opt=describe(_FACTS))
async def create_embedding(body: RawBody, request: HttpRequest, pool: Models) -> ASGIApp:
    """The vectors of some texts, each of length one."""
    job = await begin(await read(EmbeddingRequest, body, request), pool)
    return WholeAnswer(job.whole, job.leave)
