"""GET /metrics."""

from __future__ import annotations

from litestar import Response, get

from jan_server.api.metrics.service import exposition
from jan_server.requests import HttpRequest, Models, RouteFacts, describe

__all__ = ["metrics"]


@get("/metrics", opt=describe(RouteFacts(tag="Health")))
async def metrics(request: HttpRequest, pool: Models) -> Response[str]:
    """What the server and its engine did since the start, for Prometheus."""
    text = exposition(pool, request.app.state.meter)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
