"""What handlers share: facts about a route, its body, who calls, and errors on their way out."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias, TypeVar

import litestar
import msgspec
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException

from jan_engine import EngineError
from jan_server.answers import CallerGone
from jan_server.body import LARGE_BYTES, Body, read_body, read_list
from jan_server.config import Settings
from jan_server.deferral import Accepted, DeferredAnswers, DeferredHead
from jan_server.errors import OPENAI, ApiError, Dialect, dialect_of, from_engine
from jan_server.foreign import ForeignFields
from jan_server.inference.pool import Pool
from jan_server.inference.text_work import TextWork
from jan_server.security.principal import Principal
from jan_server.telemetry.record import current_record, note_ignored

__all__ = [
    "HttpRequest",
    "Models",
    "QueryParameter",
    "Route",
    "RouteFacts",
    "deferred_answer",
    "describe",
    "error_body",
    "explain",
    "principal_of",
    "read",
    "read_all",
    "request_id",
]

_log = logging.getLogger("jan_server")
HttpRequest: TypeAlias = litestar.Request[Any, Any, State]
Found = TypeVar("Found")
Models: TypeAlias = NamedDependency[Pool]  # app.py provides it


class RouteFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a route says of itself beside its path."""

    tag: str
    reads: type[msgspec.Struct] | None = None
    reads_list: bool = False  # a bare array of them
    foreign: ForeignFields = {}  # other servers' fields of such a body, and what becomes of them
    gives: type[msgspec.Struct] | None = None
    gives_list: bool = False  # a bare array of them
    streams: bool = False
    public: bool = False  # no key is needed
    dialect: Dialect = OPENAI
    paths: tuple[str, ...] = ()  # in the API's description, of a route that takes any path
    wrong_value: int = 400  # status for a wrong type or a value out of range


class QueryParameter(msgspec.Struct, frozen=True):
    """What a handler reads from behind the question mark."""

    name: str
    type: Any
    default: Any


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A handler's place, for whoever wants to know what the server has."""

    method: str
    path: str  # parameters in braces
    facts: RouteFacts
    name: str
    summary: str
    query: tuple[QueryParameter, ...] = ()


def describe(facts: RouteFacts) -> dict[str, Any]:
    """For a handler's `opt`."""
    return {"facts": facts}


async def read(
    kind: type[Body], raw: bytes, request: HttpRequest, *, most_bytes: int | None = None
) -> Body:
    """The body. What of the request has no effect is named in the answer's head. Raises 413 for one
    of more than `most_bytes`, before the time is taken to decode it.
    """
    _note_size(raw)
    if most_bytes is not None and len(raw) > most_bytes:
        message = f"More than {most_bytes >> 20} MiB in one request"
        raise ApiError(413, "request_too_large", message)
    facts: RouteFacts | None = request.route_handler.opt.get("facts")
    foreign: ForeignFields = facts.foreign if facts is not None else {}
    decode = partial(read_body, kind, raw, wrong_value=_wrong_value(request), foreign=foreign)
    found, ignored = await _decoded(decode, raw, request)
    if ignored:
        note_ignored(*ignored)
    if request.scope["query_string"]:
        note_ignored(*(f"?{name}" for name in request.query_params if name in _QUERIES))
    if any(name == b"idempotency-key" for name, _ in request.scope["headers"]):
        note_ignored("Idempotency-Key")
    return found


async def read_all(kind: type[Body], raw: bytes, request: HttpRequest) -> list[Body]:
    _note_size(raw)
    decode = partial(read_list, kind, raw, wrong_value=_wrong_value(request))
    return await _decoded(decode, raw, request)


async def _decoded(decode: Callable[[], Found], raw: bytes, request: HttpRequest) -> Found:
    """On a thread for texts where it takes more than a millisecond or two."""
    if len(raw) <= LARGE_BYTES:
        return decode()
    text_work: TextWork = request.app.state.text_work
    return await text_work.run(decode, len(raw))


def principal_of(request: HttpRequest) -> Principal:
    principal: Principal = request.scope["state"]["principal"]
    return principal


def deferred_answer(
    request: HttpRequest,
    head: DeferredHead,
    work: Callable[[], Awaitable[bytes]],
    leave: Callable[[], None],
) -> Accepted:
    """The 202 of an answer that is made from now on and fetched later."""
    answers: DeferredAnswers = request.app.state.deferred
    tenant = principal_of(request).tenant
    task = answers.add(head, tenant, work, leave, partial(explain, request))
    record = current_record()
    if record is not None:
        record.goes_on = task
    return Accepted(head)


def request_id(request: HttpRequest) -> str:
    return str(request.scope["state"]["request_id"])


def explain(request: HttpRequest, error: Exception) -> ApiError:
    """The error as a caller may see it. What is our fault is logged, and told in general terms."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, CallerGone):
        return _left()
    if isinstance(error, EngineError):
        shown = from_engine(error, wrong_value=_wrong_value(request))
        if shown.status >= 500 and shown.code == "internal_error":
            _log.error("%s: %s", request_id(request), error, exc_info=error)
        return shown
    if isinstance(error, HTTPException) and error.status_code in _BY_ROUTER:
        code, message = _BY_ROUTER[error.status_code]
        return ApiError(error.status_code, code, message, headers=error.headers)
    if isinstance(error, HTTPException) and error.detail == _LEFT_MIDWAY:
        if request.scope["state"].get("timed_out"):  # the connection has told the caller
            return ApiError(408, "request_timeout", "The rest of the request's body did not come")
        return _left()
    _log.error("%s: unexpected", request_id(request), exc_info=error)
    message = "The server failed at this request; its log says how"
    return ApiError(500, "internal_error", message)


_QUERIES = {"referrer", "envelope"}  # of the contract, and not there yet


def _left() -> ApiError:
    """Nobody reads it; the log has its code."""
    return ApiError(400, "incomplete_request", "The caller left in the middle of its request")


_LEFT_MIDWAY = "client disconnected prematurely"  # Litestar's word for it, as a 500
_BY_ROUTER = {
    400: ("invalid_parameter", "The request's path or query is not understood"),
    404: ("not_found", "There is nothing at this path"),
    405: ("method_not_allowed", "This path does not take this method"),
    413: ("request_too_large", "The request's body is too large"),
}


def error_body(request: HttpRequest, error: ApiError) -> bytes:
    """In the words of the API that was called."""
    if "route_handler" not in request.scope:  # a path that nobody has, or not by this method
        return dialect_of(request.url.path).envelope(error, request_id(request))
    facts: RouteFacts | None = request.route_handler.opt.get("facts")
    return (facts.dialect if facts else OPENAI).envelope(error, request_id(request))


def _note_size(raw: bytes) -> None:
    if (record := current_record()) is not None:
        record.n_body_bytes = len(raw)


def _wrong_value(request: HttpRequest) -> int:
    settings: Settings = request.app.state.settings
    if settings.validation_status:
        return settings.validation_status
    facts: RouteFacts | None = request.route_handler.opt.get("facts")
    return facts.wrong_value if facts else 400
