"""Whether the process lives, whether it can answer, and what it is. Paths of several servers."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from litestar import MediaType, Response, get
from litestar.params import FromPath

from jan_engine import build_info
from jan_server.errors import ApiError
from jan_server.requests import Models, RouteFacts, describe

__all__ = ["HANDLERS"]


class Health(msgspec.Struct):
    status: str
    timestamp: str


class LoadingError(msgspec.Struct):
    """In llama-server's words: its clients read them."""

    code: int
    message: str
    type: str


class Loading(msgspec.Struct):
    error: LoadingError


class Status(msgspec.Struct, omit_defaults=True):
    status: str
    service: str | None = None


class ExternalApis(msgspec.Struct):
    serper: str


class Components(msgspec.Struct):
    api_gateway: str
    inference_model: str
    database: str
    external_apis: ExternalApis


class Version(msgspec.Struct):
    version: str
    llama_cpp_build: int
    env_reloaded_at: str  # when the settings were read


_LOADING = LoadingError(503, "Loading model", "unavailable_error")
_ABSENT = {"mcp": "mcp-tools", "media": "media", "responses": "responses", "template": "template"}
_STATUS = RouteFacts(gives=Status, public=True, tag="Health")


@get("/health", opt=describe(RouteFacts(gives=Health, public=True, tag="Health")))
async def health(pool: Models) -> Response[Health] | Response[Loading]:
    """503 while the model that the server was started with is loaded, as llama-server has it."""
    if pool.is_loading:
        return Response(Loading(_LOADING), status_code=503, headers={"Retry-After": "1"})
    return Response(Health("ok", _text(datetime.now(UTC))))


@get("/healthz", opt=describe(_STATUS))
async def healthz() -> Status:
    """The process lives."""
    return Status("ok")


@get("/healthz/{service:str}", opt=describe(_STATUS))
async def healthz_of_service(service: FromPath[str]) -> Response[Status]:
    """503 for a service of Jan Server's that this server does not have, 404 for any other name."""
    if service not in _ABSENT:
        raise ApiError(404, "not_found", f"There is no service '{service[:100]}'")
    return Response(Status("not_configured", service=_ABSENT[service]), status_code=503)


@get("/healthcheck", opt=describe(RouteFacts(public=True, tag="Health")), media_type=MediaType.TEXT)
async def healthcheck() -> str:
    """The process lives."""
    return "ok"


@get("/readyz", opt=describe(_STATUS))
async def readyz(pool: Models) -> Response[Status]:
    """200 once the model answers, or the library is open and pinned models answer; 503 before,
    and while the server ends.
    """
    if pool.is_ready and pool.is_alive:
        return Response(Status("ready"))
    return Response(Status("not_ready"), status_code=503)


@get("/v1/version", opt=describe(RouteFacts(gives=Version, public=True, tag="Health")))
async def version(pool: Models) -> Version:
    """What this server was built from."""
    build = build_info()
    started = datetime.fromtimestamp(pool.started_s, UTC)
    return Version(build.version, build.llama_cpp_build, _text(started))


@get("/v1/status", opt=describe(RouteFacts(gives=Components, tag="Health")))
async def status(pool: Models) -> Components:
    """Each part of the server."""
    model = "unhealthy" if pool.is_ready and not pool.is_alive else "healthy"
    return Components(
        "healthy",
        model if pool.is_ready else "degraded",
        "not_configured",
        ExternalApis("not_configured"),
    )


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


HANDLERS = [
    health,
    healthz,
    healthz_of_service,
    healthcheck,
    readyz,
    version,
    status,
]
