"""Every error a caller can meet, in OpenAI's envelope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from jan_engine import errors as engine

__all__ = [
    "ANTHROPIC",
    "ENGINE_ERRORS",
    "OPENAI",
    "ApiError",
    "Dialect",
    "dialect_of",
    "envelope",
    "from_engine",
]

_TYPES = {  # by status
    400: "invalid_request_error",
    401: "auth_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "invalid_request_error",
    409: "invalid_request_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    431: "invalid_request_error",
}


class ApiError(Exception):
    """What a handler raises to answer with an error."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        loading: Mapping[str, object] | None = None,
    ) -> None:
        """`loading`: how far a model is that is not there yet."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.headers = dict(headers or {})
        self.loading = loading


class _Detail(msgspec.Struct):
    """Of what a 422 complains, as FastAPI's clients read it."""

    loc: list[str]
    msg: str
    type: str


class _Body(msgspec.Struct, omit_defaults=True):
    error: dict[str, str | None]
    message: str
    request_id: str
    detail: list[_Detail] | None = None
    loading: Mapping[str, object] | None = None


def envelope(error: ApiError, request_id: str) -> bytes:
    body = _Body(
        error={
            "type": _TYPES.get(error.status, "internal_error"),
            "code": error.code,
            "message": error.message,
            "param": error.param,
            "request_id": request_id,
        },
        message=error.message,
        request_id=request_id,
        loading=error.loading,
    )
    if error.status == 422:
        loc = ["body", error.param] if error.param else ["body"]
        body.detail = [_Detail(loc=loc, msg=error.message, type="value_error")]
    return msgspec.json.encode(body)


def _anthropic_envelope(error: ApiError, request_id: str) -> bytes:
    kind = _ANTHROPIC_TYPES.get(error.status, "api_error")
    body = {"type": kind, "message": error.message, "code": error.code, "param": error.param}
    return msgspec.json.encode({"type": "error", "error": body, "request_id": request_id})


_ANTHROPIC_TYPES = {  # by status
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "invalid_request_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
}


class Dialect(NamedTuple):
    """How an API says that something failed, and how its streams end."""

    envelope: Callable[[ApiError, str], bytes]
    before_error: bytes  # in a stream
    end: bytes  # of a stream that is whole


OPENAI = Dialect(envelope, b"data: ", b"data: [DONE]\n\n")
ANTHROPIC = Dialect(_anthropic_envelope, b"event: error\ndata: ", b"")


def dialect_of(path: str) -> Dialect:
    """Where a request failed before it came to a handler, which would say."""
    return ANTHROPIC if path.startswith("/v1/messages") else OPENAI


class _Row(NamedTuple):
    status: int
    code: str


# A wrong value is 422 or 400 by the endpoint, which says so: see from_engine.
_WRONG_VALUE = 0
ENGINE_ERRORS: dict[type[engine.EngineError], _Row] = {
    engine.EngineError: _Row(500, "internal_error"),
    engine.InvalidRequest: _Row(_WRONG_VALUE, "invalid_parameter"),
    engine.ContextOverflow: _Row(400, "context_length_exceeded"),
    engine.UnsupportedFeature: _Row(400, "unsupported_feature"),
    engine.ModelError: _Row(500, "model_error"),
    engine.ModelNotFound: _Row(404, "model_not_found"),
    engine.BadModelFile: _Row(500, "bad_model_file"),
    engine.UnsupportedModelFormat: _Row(400, "unsupported_model_format"),
    engine.OutOfMemory: _Row(503, "out_of_memory"),
    engine.Unavailable: _Row(503, "service_unavailable"),
    engine.Cancelled: _Row(503, "service_unavailable"),
    engine.QueueFull: _Row(503, "server_overloaded"),
    engine.EngineClosed: _Row(503, "service_unavailable"),
    engine.WriteFailed: _Row(500, "internal_error"),
    engine.BackendFailure: _Row(500, "internal_error"),
}


def from_engine(error: engine.EngineError, *, wrong_value: int) -> ApiError:
    """`wrong_value` is the status this endpoint has for a value that cannot be."""
    kind = next(base for base in type(error).__mro__ if base in ENGINE_ERRORS)
    status, code = ENGINE_ERRORS[kind]
    if status == 500:
        return ApiError(status, code, "The server failed at this request; its log says how")
    headers: dict[str, str] = {}
    if isinstance(error, engine.QueueFull):
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    param = error.field if isinstance(error, engine.InvalidRequest) else None
    return ApiError(status or wrong_value, code, str(error), param=param, headers=headers)
