"""Every error has a place in the envelope."""

from __future__ import annotations

import msgspec
import pytest
from jan_server.errors import ENGINE_ERRORS, ApiError, envelope, from_engine

from jan_engine import errors as engine
from jan_engine.errors import EngineError, InvalidRequest, QueueFull


@pytest.mark.parametrize(
    "kind",
    [getattr(engine, name) for name in engine.__all__ if isinstance(getattr(engine, name), type)],
)
def test_every_error_of_the_engine_has_a_row(kind: type[EngineError]) -> None:
    assert kind in ENGINE_ERRORS
    shown = from_engine(kind("why", facts={"retry_after_ms": 10}), wrong_value=422)
    assert 400 <= shown.status < 600


def test_a_refused_value_names_its_field() -> None:
    shown = from_engine(InvalidRequest("top_p: must be between 0 and 1"), wrong_value=422)
    assert (shown.status, shown.code, shown.param) == (422, "invalid_parameter", "top_p")
    assert from_engine(InvalidRequest("no field at all"), wrong_value=400).param is None


def test_what_is_our_fault_is_not_told() -> None:
    shown = from_engine(engine.BackendFailure("cudaMalloc at 0xdeadbeef"), wrong_value=422)
    assert shown.status == 500
    assert "0xdeadbeef" not in shown.message


def test_a_full_queue_says_when_to_come_back() -> None:
    shown = from_engine(QueueFull("full", facts={"retry_after_ms": 2600}), wrong_value=422)
    assert (shown.status, shown.code) == (503, "server_overloaded")
    assert shown.headers["Retry-After"] == "3"


def test_the_envelope_is_openai_s_with_the_id_at_the_top_too() -> None:
    error = ApiError(400, "invalid_parameter", "Parameter 'model' is required", param="model")
    body = msgspec.json.decode(envelope(error, "req_1"))
    assert body == {
        "error": {
            "type": "invalid_request_error",
            "code": "invalid_parameter",
            "message": "Parameter 'model' is required",
            "param": "model",
            "request_id": "req_1",
        },
        "message": "Parameter 'model' is required",
        "request_id": "req_1",
    }


def test_an_unprocessable_value_has_fastapi_s_detail() -> None:
    error = ApiError(422, "invalid_parameter", "wrong", param="top_p")
    body = msgspec.json.decode(envelope(error, "req_1"))
    assert body["detail"] == [{"loc": ["body", "top_p"], "msg": "wrong", "type": "value_error"}]
