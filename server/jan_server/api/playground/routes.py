"""A page to talk to the model. Its files stand in web/ as a browser reads them."""

from __future__ import annotations

from importlib.resources import files

from litestar import MediaType, Response, get
from litestar.params import FromPath

from jan_server.errors import ApiError
from jan_server.requests import HttpRequest, RouteFacts, describe

__all__ = ["HANDLERS"]

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_FACTS = RouteFacts(tag="Playground", public=True)
_WEB = files("jan_server") / "web"
_FILES = {file.name: file.read_bytes() for file in _WEB.iterdir() if file.name != "index.html"}
_PAGE = (_WEB / "index.html").read_bytes()


@get("/", opt=describe(_FACTS))
async def root(request: HttpRequest) -> Response[bytes]:
    """The page for a browser, and what answers here for a program."""
    if request.app.state.settings.ui and "text/html" in request.headers.get("accept", ""):
        return Response(_PAGE, media_type=MediaType.HTML, headers={**_HEADERS, "Vary": "Accept"})
    return Response(
        b'{"status":"ok","service":"jan-engine"}',
        media_type=MediaType.JSON,
        headers={"Vary": "Accept"},
    )


@get("/playground/{asset:str}", opt=describe(_FACTS))
async def asset(request: HttpRequest, asset: FromPath[str]) -> Response[bytes]:
    """What that page loads."""
    if not request.app.state.settings.ui or asset not in _FILES:
        raise ApiError(404, "not_found", "There is nothing at this path")
    kind = _TYPES[asset[asset.rindex(".") :]]
    return Response(_FILES[asset], media_type=kind, headers=_HEADERS)


HANDLERS = [root, asset]
