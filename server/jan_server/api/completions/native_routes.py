"""POST /completion and /infill, as llama-server has them and editors' plug-ins call them."""

from __future__ import annotations

from functools import partial

from litestar import post
from litestar.params import RawBody
from litestar.types import ASGIApp

from jan_server.answers import EventStream, WholeAnswer
from jan_server.api.completions.native import (
    FOREIGN_NATIVE,
    NATIVE,
    InfillRequest,
    NativeCompletion,
    NativeRequest,
)
from jan_server.api.completions.native_answer import stream_native, whole_native
from jan_server.api.completions.native_prompt import as_tokens, infill_prompt
from jan_server.api.completions.service import begin
from jan_server.requests import (
    HttpRequest,
    Models,
    RouteFacts,
    describe,
    explain,
    principal_of,
    read,
)

__all__ = ["HANDLERS"]

_COMPLETION = RouteFacts(
    tag="Completions",
    reads=NativeRequest,
    foreign=FOREIGN_NATIVE,
    gives=NativeCompletion,
    streams=True,
    dialect=NATIVE,
)
_INFILL = RouteFacts(
    tag="Completions",
    reads=InfillRequest,
    foreign=FOREIGN_NATIVE,
    gives=NativeCompletion,
    streams=True,
    dialect=NATIVE,
)


@post("/completion", opt=describe(_COMPLETION), status_code=200)
async def create_native_completion(body: RawBody, request: HttpRequest, pool: Models) -> ASGIApp:
    """Continue one or several prompts, in llama-server's words."""
    asked = await read(NativeRequest, body, request)
    return await _answered(asked, await as_tokens(asked, pool), request, pool)


@post("/infill", opt=describe(_INFILL), status_code=200)
async def infill(body: RawBody, request: HttpRequest, pool: Models) -> ASGIApp:
    """What belongs between two pieces of code."""
    asked = await read(InfillRequest, body, request)
    return await _answered(asked, await infill_prompt(asked, pool), request, pool)


async def _answered(
    asked: NativeRequest, prompt: object, request: HttpRequest, pool: Models
) -> ASGIApp:
    asked.prompt = prompt  # type: ignore[assignment]
    if asked.n_predict is None and asked.max_tokens is None and asked.max_completion_tokens is None:
        asked.n_predict = pool.settings.n_predict
    job = await begin(asked, pool, principal_of(request))
    if not asked.stream:
        return WholeAnswer(partial(whole_native, job), job.choices.leave)
    return EventStream(
        partial(stream_native, job),
        job.choices.leave,
        partial(explain, request),
        asked.ping_s(pool.settings.ping_s),
        NATIVE,
    )


HANDLERS = [create_native_completion, infill]
