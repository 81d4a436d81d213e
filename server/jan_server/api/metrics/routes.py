"""GET /metrics."""

from __future__ import annotations

from litestar import Response, get

from jan_server.api.metrics.service import exposition
from jan_server.requests import RouteFacts, Served, describe

__all__ = ["metrics"]


@get("/metrics", opt=describe(RouteFacts(tag="Health")))
async def metrics(served: Served) -> Response[str]:
    """The engine's statistics, for Prometheus."""
    engine = served.engine
    text = exposition(engine.stats(), model=served.id, n_cells=engine.core.n_cells)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
