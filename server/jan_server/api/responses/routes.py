"""GET and DELETE /v1/responses/ID: answers whose callers said `Prefer: respond-async`."""

from __future__ import annotations

import msgspec
from litestar import Response, delete, get
from litestar.params import FromPath

from jan_server.deferral import DeferredAnswers, DeferredHead
from jan_server.requests import HttpRequest, RouteFacts, describe, principal_of

__all__ = ["HANDLERS"]


class RemovedAnswer(msgspec.Struct, kw_only=True):
    id: str
    object: str = "response.deleted"
    deleted: bool = True


@get("/v1/responses/{answer_id:str}", opt=describe(RouteFacts(tag="Chat", gives=DeferredHead)))
async def get_deferred_answer(answer_id: FromPath[str], request: HttpRequest) -> Response[bytes]:
    """The answer, or while it is made its head with the status in_progress."""
    body = _answers(request).get(answer_id, principal_of(request).tenant)
    return Response(body, media_type="application/json")


@delete(
    "/v1/responses/{answer_id:str}",
    opt=describe(RouteFacts(tag="Chat", gives=RemovedAnswer)),
    status_code=200,
)
async def cancel_deferred_answer(answer_id: FromPath[str], request: HttpRequest) -> RemovedAnswer:
    """Forget an answer, and end its making."""
    _answers(request).remove(answer_id, principal_of(request).tenant)
    return RemovedAnswer(id=answer_id)


def _answers(request: HttpRequest) -> DeferredAnswers:
    answers: DeferredAnswers = request.app.state.deferred
    return answers


HANDLERS = [get_deferred_answer, cancel_deferred_answer]
