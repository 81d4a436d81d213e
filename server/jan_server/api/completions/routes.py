"""POST /v1/completions."""

from __future__ import annotations

from functools import partial

from litestar import post
from litestar.params import RawBody
from litestar.types import ASGIApp

from jan_server.answers import EventStream, WholeAnswer
from jan_server.api.completions.foreign import FOREIGN_COMPLETION
from jan_server.api.completions.schemas import Completion, CompletionRequest
from jan_server.api.completions.service import begin
from jan_server.api.completions.stream import stream_completion
from jan_server.deferral import DeferredHead, prefers_async
from jan_server.requests import (
    HttpRequest,
    Models,
    RouteFacts,
    deferred_answer,
    describe,
    explain,
    principal_of,
    read,
)

__all__ = ["create_completion"]

_FACTS = RouteFacts(
    tag="Completions",
    reads=CompletionRequest,
    foreign=FOREIGN_COMPLETION,
    gives=Completion,
    streams=True,
    wrong_value=422,
)


@post("/v1/completions", opt=describe(_FACTS))
async def create_completion(body: RawBody, request: HttpRequest, pool: Models) -> ASGIApp:
    """Continue one or several prompts."""
    asked = await read(CompletionRequest, body, request)
    job = await begin(asked, pool, principal_of(request))
    if not asked.stream and prefers_async(request.scope["headers"]):
        head = DeferredHead(
            id=job.id, object="text_completion", created=job.created, model=job.model_id
        )
        return deferred_answer(request, head, job.whole, job.choices.leave)
    if not asked.stream:
        return WholeAnswer(job.whole, job.choices.leave)
    return EventStream(
        partial(stream_completion, job),
        job.choices.leave,
        partial(explain, request),
        asked.ping_s(pool.settings.ping_s),
    )
