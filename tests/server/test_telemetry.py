"""What the server tells about itself: lines, sums, spans. Never what was said."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jan_server.config import Settings
from jan_server.telemetry.log import log_request, start_logging
from jan_server.telemetry.observer import Observer
from jan_server.telemetry.pulse import tell_pulse
from jan_server.telemetry.record import Generated, Record
from jan_server.telemetry.trace import Tracer
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.server.running import Running, running

BODY = {"model": "alphabet", "prompt": "abc", "max_tokens": 4}
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What start_logging writes into; afterwards the process logs as it did before."""
    lines = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield lines
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def observed(alphabet_path: Path, spans: InMemorySpanExporter) -> Iterator[Running]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    settings = Settings(model=str(alphabet_path), parallel=2, ctx_size=512, threads=1)
    with running(settings, observer=Observer(tracer=Tracer(provider))) as server:
        yield server


def test_a_line_tells_how_a_request_went_and_not_what_was_said(
    logged: io.StringIO, observed: Running
) -> None:
    start_logging("json", "info", logged)
    observed.post("/v1/completions", BODY, headers={"X-Request-Id": "mine"})
    observed.get("/health")  # asked all the time: no line
    observed.get("/playground/app.js")
    observed.get("/nowhere")

    def told() -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = list(map(json.loads, logged.getvalue().splitlines()))
        return [line for line in lines if line["logger"] == "jan_server.request"]

    observed.until(lambda _: len(told()) == 2)
    generated, unknown = told()
    assert (generated["request_id"], generated["status"]) == ("mine", 200)
    assert generated["path"] == "/v1/completions"
    assert (generated["prompt_tokens"], generated["completion_tokens"]) == (4, 4)
    assert generated["finish_reasons"] == ["length"]
    assert 0 < generated["first_token_ms"] <= generated["duration_ms"] + 0.1
    assert "defg" not in logged.getvalue()
    assert (unknown["path"], unknown["status"]) == ("/nowhere", 404)


def test_a_path_cannot_forge_a_line(logged: io.StringIO) -> None:
    start_logging("human", "info", logged)
    forged = Record(request_id="r", method="GET", path="/a\n12:00:00 all is well", status=404)
    log_request(forged)
    assert len(logged.getvalue().splitlines()) == 1


def test_a_refused_request_is_counted_where_it_ended(observed: Running) -> None:
    observed.post("/v1/completions", {"model": "alphabet"})
    observed.post("/v1/completions", {**BODY, "n": 2})
    observed.get("/v1/models/" + "x" * 500)
    text = observed.get("/metrics").text
    label = 'model_name="alphabet",method="POST",route="/v1/completions"'
    assert f'jan:http_requests_total{{{label},status="400"}} 1' in text
    assert f'jan:http_requests_total{{{label},status="200"}} 1' in text
    assert "xxx" not in text  # whoever asks for a thousand paths adds no thousand samples
    assert 'jan:request_success_total{model_name="alphabet",finished_reason="length"} 2' in text
    assert 'jan:request_params_n_bucket{model_name="alphabet",le="2"} 1' in text
    assert 'jan:request_generation_tokens_sum{model_name="alphabet"} 8.0' in text


def test_spans_continue_the_caller_s_trace(observed: Running, spans: InMemorySpanExporter) -> None:
    observed.post("/v1/completions", BODY, headers={"traceparent": CALLER})
    observed.until(lambda _: len(spans.get_finished_spans()) == 2)
    chat, request = spans.get_finished_spans()
    assert request.name == "POST /v1/completions"
    assert _context(request).trace_id == 0x0AF7651916CD43DD8448EB211C80319C
    assert request.parent
    assert request.parent.span_id == 0xB7AD6B7169203331
    assert chat.parent
    assert chat.parent.span_id == _context(request).span_id
    told: dict[str, Any] = dict(chat.attributes or {})
    assert told["gen_ai.usage.output_tokens"] == 4
    assert told["gen_ai.response.finish_reasons"] == ("length",)
    assert [event.name for event in chat.events] == ["gen_ai.first_token"]
    moments = (request.start_time, chat.start_time, chat.end_time, request.end_time)
    assert sorted(moment or 0 for moment in moments) == list(moments)


def test_headers_that_are_too_large_are_refused(observed: Running) -> None:
    answer = observed.get("/health", headers={"X-Long": "x" * 40_000})
    assert answer.status_code == 431
    assert answer.json()["error"]["code"] == "headers_too_large"


def test_the_pulse_is_heard_only_while_there_is_work(logged: io.StringIO) -> None:
    start_logging("human", "info", logged)
    keys = ("n_steps", "n_prompt_tokens", "n_cached_tokens", "n_decode_rows", "busy_s")
    idle = {**dict.fromkeys(keys, 0), "n_running": 0, "n_waiting": 0}
    idle |= {"n_decode_workers": 1, "n_prefill_workers": 2}
    busy = {**idle, "n_steps": 1, "n_decode_rows": 7, "n_running": 3}
    readings = iter([None, idle, idle, busy, busy])

    def read() -> dict[str, Any] | None:
        try:
            return next(readings)
        except StopIteration:
            raise asyncio.CancelledError from None

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(tell_pulse(read, 0.001))
    (line,) = logged.getvalue().splitlines()
    assert "3 running, 0 waiting" in line
    assert "7000 decoded" in line
    assert "1 threads decode and 2 read prompts" in line


def test_a_generation_without_a_token_has_no_first_one(logged: io.StringIO) -> None:
    start_logging("human", "info", logged)
    nothing = Generated(
        model="m",
        n_prompt=3,
        n_cached=0,
        n_out=0,
        max_tokens=0,
        reason="abort",
        submitted_s=1.0,
        first_token_s=0.0,
        ended_s=2.0,
    )
    log_request(
        Record(
            request_id="r",
            method="POST",
            path="/v1/completions",
            generated=[nothing],
            began_s=1.0,
            ended_s=2.5,
        )
    )
    assert "left 1.50 s, 3 tokens in, 0 out, abort [r]" in logged.getvalue()


def _context(span: ReadableSpan) -> Any:  # noqa: ANN401 - the SDK says it may be None
    assert span.context
    return span.context


def test_what_the_library_asks_others_is_no_line_of_the_log(
    logged: io.StringIO, alphabet_server: Running
) -> None:
    import httpx2

    start_logging("human", "info", logged)
    with httpx2.Client() as client:
        assert client.get(alphabet_server.url + "/health").status_code == 200
    assert "HTTP Request" not in logged.getvalue()
