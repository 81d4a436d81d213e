"""POST /v1/messages and what it would cost."""

from __future__ import annotations

from functools import partial

from litestar import post
from litestar.params import RawBody
from litestar.types import ASGIApp

from jan_server.answers import EventStream, WholeAnswer
from jan_server.api.messages.foreign import FOREIGN_MESSAGE
from jan_server.api.messages.schemas import CountRequest, InputTokens, Message, MessageRequest
from jan_server.api.messages.service import begin, count
from jan_server.api.messages.stream import stream_message
from jan_server.errors import ANTHROPIC
from jan_server.requests import (
    HttpRequest,
    Models,
    RouteFacts,
    describe,
    explain,
    principal_of,
    read,
)

__all__ = ["count_message_tokens", "create_message"]

_CREATE = RouteFacts(
    tag="Messages",
    reads=MessageRequest,
    foreign=FOREIGN_MESSAGE,
    gives=Message,
    streams=True,
    dialect=ANTHROPIC,
)
_COUNT = RouteFacts(
    tag="Messages",
    reads=CountRequest,
    foreign=FOREIGN_MESSAGE,
    gives=InputTokens,
    dialect=ANTHROPIC,
)


@post("/v1/messages", opt=describe(_CREATE))
async def create_message(body: RawBody, request: HttpRequest, pool: Models) -> ASGIApp:
    """Answer a conversation, in Anthropic's words."""
    asked = await read(MessageRequest, body, request)
    job = await begin(asked, pool, principal_of(request))
    if not asked.stream:
        return WholeAnswer(job.whole, job.choices.leave)
    return EventStream(
        partial(stream_message, job),
        job.choices.leave,
        partial(explain, request),
        pool.settings.ping_s,
        ANTHROPIC,
    )


@post("/v1/messages/count_tokens", opt=describe(_COUNT), status_code=200)
async def count_message_tokens(body: RawBody, request: HttpRequest, pool: Models) -> InputTokens:
    """The tokens of a prompt, without an answer."""
    return await count(await read(CountRequest, body, request), pool)
