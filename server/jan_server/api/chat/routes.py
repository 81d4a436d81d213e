"""POST /v1/chat/completions."""

from __future__ import annotations

from functools import partial

from litestar import post
from litestar.params import RawBody
from litestar.types import ASGIApp

from jan_server.answers import EventStream, WholeAnswer
from jan_server.api.chat.foreign import FOREIGN_CHAT
from jan_server.api.chat.schemas import ChatCompletion, ChatRequest
from jan_server.api.chat.service import begin
from jan_server.api.chat.stream import stream_chat
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

__all__ = ["create_chat_completion"]

_FACTS = RouteFacts(
    tag="Chat",
    reads=ChatRequest,
    foreign=FOREIGN_CHAT,
    gives=ChatCompletion,
    streams=True,
    wrong_value=422,
)


@post("/v1/chat/completions", opt=describe(_FACTS))
async def create_chat_completion(body: RawBody, request: HttpRequest, pool: Models) -> ASGIApp:
    """Answer a conversation."""
    asked = await read(ChatRequest, body, request)
    job = await begin(asked, pool, principal_of(request))
    if not asked.stream and prefers_async(request.scope["headers"]):
        head = DeferredHead(
            id=job.id, object="chat.completion", created=job.created, model=job.model_id
        )
        return deferred_answer(request, head, job.whole, job.choices.leave)
    if not asked.stream:
        return WholeAnswer(job.whole, job.choices.leave)
    return EventStream(
        partial(stream_chat, job),
        job.choices.leave,
        partial(explain, request),
        asked.ping_s(pool.settings.ping_s),
    )
