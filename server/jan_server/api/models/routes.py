"""/v1/models: which there are, where they come from, and which are in memory."""

from __future__ import annotations

from functools import partial

from litestar import delete, get, post, put
from litestar.params import FromPath, FromQuery, RawBody
from litestar.types import ASGIApp

from jan_server.answers import EventStream
from jan_server.api.models.schemas import (
    Catalog,
    CatalogList,
    ModelAction,
    ModelDeleted,
    ModelInfo,
    ModelList,
    Provider,
    ProviderList,
    PullRequest,
    StartRequest,
)
from jan_server.api.models.service import (
    EventFeed,
    all_models,
    catalogs,
    model_named,
    pull,
    remove,
    start,
    stop,
)
from jan_server.errors import ApiError
from jan_server.requests import HttpRequest, Models, RouteFacts, describe, explain, read

__all__ = ["HANDLERS"]

_START = RouteFacts(
    tag="Models",
    reads=StartRequest,
    gives=ModelAction,
    paths=("/v1/models/{model_id}/start", "/v1/models/{model_id}/stop"),
)


@get("/v1/models", opt=describe(RouteFacts(tag="Models", gives=ModelList)))
async def list_models(pool: Models, loaded: FromQuery[bool] = False) -> ModelList:
    """The models that can be asked; with `loaded` those in memory."""
    return await all_models(pool, loaded=loaded)


@post(
    "/v1/models",
    opt=describe(RouteFacts(tag="Models", reads=PullRequest, gives=ModelAction)),
    status_code=200,
)
async def download_model(
    body: RawBody, request: HttpRequest, pool: Models, source_url: FromQuery[str | None] = None
) -> ModelAction:
    """Get a model from a hub, an address or a file. It goes on when the caller leaves."""
    asked = await read(PullRequest, body or b"{}", request)
    asked.source_url = asked.source_url or source_url
    return await pull(pool, asked)


@get("/v1/models/events", opt=describe(RouteFacts(tag="Models", streams=True)))
async def model_events(request: HttpRequest, pool: Models) -> ASGIApp:
    """What becomes of models, and how far downloads are, as events."""
    feed = EventFeed(pool)
    return EventStream(feed.run, feed.leave, partial(explain, request), pool.settings.ping_s)


@get("/v1/models/catalogs", opt=describe(RouteFacts(tag="Models", gives=CatalogList)))
async def list_catalogs(pool: Models) -> CatalogList:
    """What the models are and can do."""
    return CatalogList(data=await catalogs(pool))


@get("/v1/models/catalogs/{catalog_id:path}", opt=describe(RouteFacts(tag="Models", gives=Catalog)))
async def get_catalog(catalog_id: FromPath[str], pool: Models) -> Catalog:
    """What one of them is and can do."""
    name = _name(catalog_id)
    for one in await catalogs(pool):
        if one.id == name:
            return one
    raise ApiError(404, "model_not_found", f"There is no model '{name}'", param="model")


@get("/v1/models/providers", opt=describe(RouteFacts(tag="Models", gives=ProviderList)))
async def list_providers(request: HttpRequest) -> ProviderList:
    """Who computes: this server."""
    url = str(request.base_url).rstrip("/") + "/v1"
    endpoint = {"url": url, "weight": 1, "priority": 0, "healthy": True}
    return ProviderList(data=[Provider(base_url=url, endpoints=[endpoint])])


@get("/v1/models/{model_id:path}", opt=describe(RouteFacts(tag="Models", gives=ModelInfo)))
async def get_model(model_id: FromPath[str], pool: Models) -> ModelInfo:
    """One of them, by its id or where it came from."""
    return await model_named(pool, _name(model_id))


@delete(
    "/v1/models/{model_id:path}",
    opt=describe(RouteFacts(tag="Models", gives=ModelDeleted)),
    status_code=200,
)
async def delete_model(
    model_id: FromPath[str], pool: Models, force: FromQuery[bool] = False
) -> ModelDeleted:
    """Remove a model, or cancel its download."""
    return await remove(pool, _name(model_id), force=force)


@put("/v1/models/{model_id:path}", opt=describe(_START))
async def change_model(
    model_id: FromPath[str], body: RawBody, request: HttpRequest, pool: Models
) -> ModelAction:
    """Load a model into memory, or take it out."""
    return await _act(_name(model_id), body, request, pool)


@post("/v1/models/{model_id:path}", opt=describe(_START), status_code=200)
async def change_model_by_post(
    model_id: FromPath[str], body: RawBody, request: HttpRequest, pool: Models
) -> ModelAction:
    """Load a model into memory, or take it out, for clients that only post."""
    return await _act(_name(model_id), body, request, pool)


async def _act(named: str, body: bytes, request: HttpRequest, pool: Models) -> ModelAction:
    name, _, verb = named.rpartition("/")
    asked = await read(StartRequest, body or b"{}", request)
    if not name:  # /v1/models/start, with the name in the body
        name = asked.model or ""
    if verb not in ("start", "stop"):
        raise ApiError(404, "not_found", "There is nothing at this path")
    if not name:
        raise ApiError(400, "invalid_parameter", "Parameter 'model' is required", param="model")
    return await (start(pool, name, asked) if verb == "start" else stop(pool, name))


def _name(path: str) -> str:
    """An id may have slashes, and may be an address, of which a path keeps one slash."""
    name = path.removeprefix("/")
    for scheme, slashes in (("https:", "//"), ("http:", "//"), ("file:", "///")):
        if name.startswith(scheme + "/"):
            return scheme + slashes + name.removeprefix(scheme).lstrip("/")
    return name


HANDLERS = [
    list_models,
    download_model,
    model_events,
    list_catalogs,
    get_catalog,
    list_providers,
    get_model,
    delete_model,
    change_model,
    change_model_by_post,
]
