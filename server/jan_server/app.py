"""Puts the server together: the only file that knows every slice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Response
from litestar.datastructures import State
from litestar.di import Provide
from litestar.params import QueryParameter as QueryKwarg
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp

from jan_server.api.adapters import routes as adapters
from jan_server.api.chat import routes as chat
from jan_server.api.chat import template as chat_template
from jan_server.api.completions import native_routes
from jan_server.api.completions import routes as completions
from jan_server.api.docs import routes as docs
from jan_server.api.embeddings import native as native_embeddings
from jan_server.api.embeddings import routes as embeddings
from jan_server.api.extras import routes as extras
from jan_server.api.health import routes as health
from jan_server.api.messages import routes as messages
from jan_server.api.metrics import routes as metrics
from jan_server.api.models import routes as models
from jan_server.api.playground import routes as playground
from jan_server.api.props import routes as props
from jan_server.api.rerank import routes as rerank
from jan_server.api.responses import routes as responses
from jan_server.api.slots import routes as slots
from jan_server.api.tokens import routes as tokens
from jan_server.deferral import DeferredAnswers
from jan_server.entry import Entry
from jan_server.inference.pool import Pool
from jan_server.requests import HttpRequest, QueryParameter, Route, error_body, explain
from jan_server.security.browser import BrowserGuard
from jan_server.security.key_file import KeyFile
from jan_server.security.principal import KeyRing
from jan_server.telemetry.observer import Observer

__all__ = ["HANDLERS", "create_app", "create_routes", "routes_of"]

HANDLERS: list[Any] = [
    *health.HANDLERS,
    *models.HANDLERS,
    *adapters.HANDLERS,
    extras.tokenize,
    extras.count_tokens,
    extras.detokenize,
    *tokens.HANDLERS,
    completions.create_completion,
    *native_routes.HANDLERS,
    chat.create_chat_completion,
    *chat_template.HANDLERS,
    *responses.HANDLERS,
    messages.create_message,
    messages.count_message_tokens,
    embeddings.create_embedding,
    native_embeddings.create_native_embedding,
    rerank.rerank,
    metrics.metrics,
    props.props,
    slots.slots,
    *docs.HANDLERS,
    *playground.HANDLERS,
]


def create_app(
    pool: Pool,
    *,
    on_loaded: Callable[[], None] = lambda: None,
    observer: Observer | None = None,
) -> ASGIApp:
    """An ASGI app that answers at once and has its models once they are loaded; `on_loaded` is
    called then, or when that failed.
    """
    observer = observer or Observer(logs=False)
    routes = create_routes(pool, on_loaded=on_loaded)
    routes.state.meter = observer.meter
    described = routes_of(routes)
    routes.state.described = described
    public = [route.path for route in described if route.facts.public]
    settings = pool.settings
    return Entry(
        routes,
        KeyRing(
            settings.api_key,
            KeyFile(pool.home),
            always=not settings.is_local and not settings.insecure,
        ),
        BrowserGuard(settings),
        public,
        observer,
    )


def create_routes(pool: Pool, *, on_loaded: Callable[[], None] = lambda: None) -> Litestar:
    """What comes after the entry: every slice's handlers."""
    deferred = DeferredAnswers()

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncGenerator[None]:
        async def load() -> None:
            await pool.open()
            on_loaded()

        loading = asyncio.create_task(load())
        try:
            yield
        finally:
            await pool.close()
            await deferred.close()
            await loading

    return Litestar(
        HANDLERS,
        dependencies={"pool": Provide(lambda: pool, sync_to_thread=False)},
        exception_handlers={Exception: _answer_with_error},
        lifespan=[lifespan],
        openapi_config=None,
        request_max_body_size=pool.settings.max_body_mb * 1024 * 1024,
        state=State({"settings": pool.settings, "text_work": pool.text_work, "deferred": deferred}),
        logging_config=None,
    )


def routes_of(app: Litestar) -> list[Route]:
    """Every route that is not made by Litestar itself."""
    return [
        Route(
            method=str(method),
            path=route.path_format,
            facts=handler.opt["facts"],
            name=handler.handler_name,
            summary=(handler.fn.__doc__ or "").rstrip("."),
            query=tuple(
                QueryParameter(name, parameter.annotation, parameter.default)
                for name, parameter in handler.parsed_fn_signature.parameters.items()
                if isinstance(parameter.kwarg_definition, QueryKwarg)
            ),
        )
        for route in app.routes
        for handler in (route.route_handlers if isinstance(route, HTTPRoute) else ())
        for method in handler.http_methods
        if "facts" in handler.opt
    ]


def _answer_with_error(request: HttpRequest, error: Exception) -> Response[bytes]:
    shown = explain(request, error)
    return Response(
        error_body(request, shown),
        status_code=shown.status,
        headers=shown.headers,
        media_type="application/json",
    )
