"""From a query and documents to an order."""

from __future__ import annotations

import msgspec

from jan_engine import Pooling
from jan_server.api.rerank.schemas import RankedDocument, RankedList, RerankRequest, RerankUsage
from jan_server.errors import ApiError
from jan_server.inference.pool import Pool
from jan_server.inference.served_model import ServedModel
from jan_server.inference.vectors import VectorJob, pair, refuse_many

__all__ = ["RerankJob", "begin"]


async def begin(asked: RerankRequest, pool: Pool) -> RerankJob:
    """Check everything and tokenise; or raise, and nothing runs."""
    served = await pool.lease(asked.model)
    if not served.model.can_rank:
        raise ApiError(501, "not_implemented", f"The model '{served.id}' has no head that ranks")
    documents = asked.document_texts
    if not documents:
        message = "documents: is empty"
        raise ApiError(400, "invalid_parameter", message, param="documents")
    refuse_many("documents", len(documents))

    async def tokens(field: str, text: str) -> list[int]:
        served.refuse_what_cannot_fit(field, text)
        return await served.tokenize(text, add_special=False, parse_special=False)

    query = await tokens("query", asked.query)
    pairs = [pair(served.model, query, await tokens("documents", text)) for text in documents]
    return RerankJob(asked, served, pairs, documents)


class RerankJob:
    def __init__(
        self,
        asked: RerankRequest,
        served: ServedModel,
        pairs: list[list[int]],
        documents: list[str],
    ) -> None:
        self._asked = asked
        self._documents = documents
        self._model_id = asked.model or served.id
        self._n_tokens = sum(map(len, pairs))
        self._job = VectorJob(served, pairs, Pooling.RANK)
        self.leave = self._job.leave

    async def whole(self) -> bytes:
        scores = [vector[0] for vector in await self._job.vectors(normalize=False)]
        order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
        results = [
            RankedDocument(index=index, relevance_score=scores[index])
            for index in order[: self._asked.top_n]
        ]
        if self._asked.return_documents or self._asked.return_text:
            for result in results:
                result.document = self._documents[result.index]
        usage = RerankUsage(self._n_tokens, self._n_tokens)
        return msgspec.json.encode(RankedList(model=self._model_id, results=results, usage=usage))
