"""OpenTelemetry spans, where the extra `otel` is installed and an endpoint is given.

One span per HTTP request and one in it per sequence, in the words of the GenAI conventions. Both
are made when the request has ended, so that no token waits for them. What was said is not in them.
"""

from __future__ import annotations

import importlib
import time
from typing import Any

from jan_server.telemetry.record import Generated, Record

__all__ = ["Tracer", "open_tracer"]


def open_tracer(endpoint: str, *, service: str, version: str) -> Tracer:
    """Sends to an OTLP/HTTP collector. Raises ImportError without the extra."""
    sdk = importlib.import_module("opentelemetry.sdk.trace")
    export = importlib.import_module("opentelemetry.sdk.trace.export")
    otlp = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    resources = importlib.import_module("opentelemetry.sdk.resources")
    resource = resources.Resource.create({"service.name": service, "service.version": version})
    provider = sdk.TracerProvider(resource=resource)
    url = endpoint.rstrip("/") + "/v1/traces"
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter(endpoint=url)))
    return Tracer(provider)


class Tracer:
    def __init__(self, provider: Any) -> None:  # noqa: ANN401 - the extra has the type
        self._provider = provider
        self._tracer = provider.get_tracer("jan_server")
        self._api = importlib.import_module("opentelemetry.trace")
        self._propagation = importlib.import_module(
            "opentelemetry.trace.propagation.tracecontext"
        ).TraceContextTextMapPropagator()
        # The conventions count in nanoseconds of the wall clock; we measure on the monotonic one.
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def add(self, record: Record) -> None:
        within = self._propagation.extract({"traceparent": record.traceparent})
        span = self._tracer.start_span(
            f"{record.method} {record.route or 'unknown'}",
            context=within,
            kind=self._api.SpanKind.SERVER,
            start_time=self._ns(record.began_s),
            attributes={
                "http.request.method": record.method,
                "http.route": record.route,
                "http.response.status_code": record.status,
                "jan.request_id": record.request_id,
            },
        )
        if record.status >= 500:
            span.set_status(self._api.StatusCode.ERROR)
        inside = self._api.set_span_in_context(span, within)
        for one in record.generated:
            self._add_generated(one, inside)
        span.end(self._ns(record.ended_s))

    def close(self) -> None:
        """Send what is left. Waits for the collector, a few seconds at most."""
        self._provider.force_flush(3000)
        self._provider.shutdown()

    def _add_generated(self, one: Generated, within: object) -> None:
        span = self._tracer.start_span(
            f"chat {one.model}",
            context=within,
            start_time=self._ns(one.submitted_s),
            attributes={
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "jan",
                "gen_ai.request.model": one.model,
                "gen_ai.response.model": one.model,
                "gen_ai.usage.input_tokens": one.n_prompt,
                "gen_ai.usage.output_tokens": one.n_out,
                "gen_ai.usage.cache_read.input_tokens": one.n_cached,
                "gen_ai.response.finish_reasons": [one.reason],
            },
        )
        if one.max_tokens is not None:
            span.set_attribute("gen_ai.request.max_tokens", one.max_tokens)
        if one.first_token_s:
            span.add_event("gen_ai.first_token", timestamp=self._ns(one.first_token_s))
        span.end(self._ns(one.ended_s))

    def _ns(self, moment_s: float) -> int:
        return int(moment_s * 1e9) + self._offset_ns
