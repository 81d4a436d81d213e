"""The API's description, for programs and for people. Nothing here needs the network."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from litestar import Response, get
from litestar.params import FromPath

from jan_engine import build_info
from jan_server.demo import DEMO_ID
from jan_server.errors import ApiError
from jan_server.inference.sampling_defaults import sampling_defaults
from jan_server.openapi.document import openapi_document
from jan_server.openapi.fields import OF_SETTINGS
from jan_server.requests import HttpRequest, Models, RouteFacts, describe
from jan_server.security.key_file import KEY_FILE

__all__ = ["HANDLERS"]

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Jan API</title>
<link rel="stylesheet" href="swagger-ui.css">
<link rel="icon" href="favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="swagger-ui-bundle.js"></script>
<script src="start.js"></script>
</body>
</html>
"""
_START = """window.ui = SwaggerUIBundle({
  url: "doc.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null,
});
"""
_ASSETS = {  # of the package swagger-ui-bundle-v2
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
}
_FACTS = RouteFacts(tag="Docs", public=True)


@get("/openapi.json", opt=describe(_FACTS))
async def openapi_json(request: HttpRequest, pool: Models) -> Response[bytes]:
    """This document."""
    return await _document(request, pool)


@get("/api/swagger/doc.json", opt=describe(_FACTS))
async def swagger_doc(request: HttpRequest, pool: Models) -> Response[bytes]:
    """This document, where its page looks for it."""
    return await _document(request, pool)


@get("/api/swagger/index.html", opt=describe(_FACTS))
async def swagger_page() -> Response[str]:
    """A page to read it and to try it."""
    return Response(_PAGE, media_type="text/html", headers=_HEADERS)


@get("/api/swagger", opt=describe(_FACTS), status_code=308)
async def swagger() -> Response[None]:
    """The way to that page."""
    return Response(None, status_code=308, headers={"Location": "/api/swagger/index.html"})


@get("/api/swagger/{asset:str}", opt=describe(_FACTS))
async def swagger_asset(asset: FromPath[str]) -> Response[bytes]:
    """What that page loads."""
    if asset == "start.js":
        return Response(_START.encode(), media_type="text/javascript", headers=_HEADERS)
    if asset not in _ASSETS:
        raise ApiError(404, "not_found", "There is nothing at this path")
    return Response(_bundled(asset), media_type=_ASSETS[asset], headers=_HEADERS)


@cache
def _bundled(asset: str) -> bytes:
    """One copy, however many readers are slow."""
    folder = next((files("swagger_ui_bundle") / "vendor").iterdir())
    return (folder / asset).read_bytes()


async def _document(request: HttpRequest, pool: Models) -> Response[bytes]:
    """Made once for each model that its examples name, which is seldom another."""
    state = request.app.state
    model = await _model_of_examples(pool)
    made: tuple[str | None, bytes] | None = state.get("openapi")
    if made is None or made[0] != model:
        settings = pool.settings if pool.only is None else pool.only.served.settings
        usual = sampling_defaults(settings, {})
        defaults = {name: getattr(usual, name) for name in OF_SETTINGS}
        document = openapi_document(
            state.described, version=build_info().version, defaults=defaults, model=model
        )
        made = state["openapi"] = (model, document)
    return Response(made[1], media_type="application/json")


async def _model_of_examples(pool: Models) -> str | None:
    """One that is here; None where that is for callers with a key alone to know."""
    if pool.settings.api_key or (pool.home / KEY_FILE).exists():
        return None
    if pool.only is not None:
        return pool.only.id
    library = pool.library.opened
    if library is None:
        return None
    return next((one.id for one in await library.models()), DEMO_ID)


HANDLERS = [openapi_json, swagger_doc, swagger, swagger_page, swagger_asset]
