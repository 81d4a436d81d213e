"""What every request passes before it is routed, in this order: an id, the guards, one spelling
of its path. Plain ASGI, since a router would answer some requests before any middleware of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from jan_server.answers import send_error
from jan_server.errors import ApiError
from jan_server.ids import new_id
from jan_server.paths import canonical
from jan_server.security.browser import BrowserGuard
from jan_server.security.principal import ANONYMOUS, KeyRing

__all__ = ["Entry"]

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_MOST_ID_BYTES = 128


class Entry:
    def __init__(
        self, app: ASGIApp, keys: KeyRing, browsers: BrowserGuard, public: Iterable[str]
    ) -> None:
        """`public`: paths of routes that need no key."""
        self._app = app
        self._keys = keys
        self._browsers = browsers
        patterns = (re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path)) for path in public)
        self._public = re.compile("|".join(patterns))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        received = dict(scope["headers"])
        state = scope["state"]
        state["request_id"] = request_id = _request_id(received)
        headers = {"X-Request-Id": request_id}
        try:
            headers |= self._browsers.check(received)
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in received:
                headers |= self._browsers.preflight(_METHODS)
                await _send_nothing(send, headers)
                return
            path = canonical(scope["path"])
            if path != scope["path"]:
                scope["path"] = path
                scope["raw_path"] = path.encode()
            principal = ANONYMOUS if self._public.fullmatch(path) else self._keys.identify(received)
        except ApiError as error:
            error.headers |= headers
            await send_error(send, error, request_id)
            return
        state["principal"] = principal
        headers["X-Auth-Method"] = principal.method
        extra = _encoded(headers)

        def send_with_headers(message: Message) -> object:  # not async: it runs per token
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *extra]
            return send(message)

        await self._app(scope, receive, send_with_headers)  # type: ignore[arg-type]


def _request_id(headers: dict[bytes, bytes]) -> str:
    """The caller's, if it can be a header's value and a line of a log; otherwise a new one."""
    given = headers.get(b"x-request-id", b"")
    text = given.decode("latin-1")
    if 0 < len(given) <= _MOST_ID_BYTES and text.isascii() and text.isprintable():
        return text
    return new_id("req_")


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


async def _send_nothing(send: Send, headers: dict[str, str]) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
