"""POST /v1/rerank."""

from __future__ import annotations

from litestar import post
from litestar.params import RawBody
from litestar.types import ASGIApp

from jan_server.answers import WholeAnswer
from jan_server.api.rerank.foreign import FOREIGN_RERANK
from jan_server.api.rerank.schemas import RankedList, RerankRequest
from jan_server.api.rerank.service import begin
from jan_server.requests import HttpRequest, Models, RouteFacts, describe, read

__all__ = ["rerank"]

_FACTS = RouteFacts(tag="Embeddings", reads=RerankRequest, foreign=FOREIGN_RERANK, gives=RankedList)


@post("/v1/rerank", opt=describe(_FACTS))
async def rerank(body: RawBody, request: HttpRequest, pool: Models) -> ASGIApp:
    """Documents in the order in which they answer a query."""
    job = await begin(await read(RerankRequest, body, request), pool)
    return WholeAnswer(job.whole, job.leave)
