"""What every request passes before it is routed, in this order: an id, the guards, one spelling
of its path. Plain ASGI, since a router would answer some requests before any middleware of its own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from jan_server.answers import SEND_BODY, send_error
from jan_server.errors import ApiError, dialect_of
from jan_server.ids import new_id
from jan_server.paths import canonical
from jan_server.security.browser import BrowserGuard
from jan_server.security.principal import ANONYMOUS, KeyRing
from jan_server.telemetry.observer import Observer
from jan_server.telemetry.record import Record, recorded

__all__ = ["Entry"]

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_MOST_ID_BYTES = 128
_MOST_HEADER_BYTES = 32 * 1024


class Entry:
    def __init__(
        self,
        app: ASGIApp,
        keys: KeyRing,
        browsers: BrowserGuard,
        public: Iterable[str],
        observer: Observer,
    ) -> None:
        """`public`: paths of routes that need no key."""
        self._app = app
        self._keys = keys
        self._browsers = browsers
        self._observer = observer
        patterns = (re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path)) for path in public)
        self._public = re.compile("|".join(patterns))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        received = dict(scope["headers"])
        record = Record(
            request_id=_request_id(received),
            method=scope["method"],
            path=scope["path"],
            traceparent=received.get(b"traceparent", b"").decode("latin-1"),
        )
        recorded(record)
        self._observer.began()
        try:
            await self._answer(scope, receive, send, received, record)
        finally:
            if "path_template" in scope:  # the router found a handler
                record.route = scope["path_template"]
            for release in record.at_end:
                release()
            record.ended_s = time.monotonic()
            self._observer.ended(record)

    async def _answer(
        self,
        scope: HTTPScope,
        receive: Receive,
        send: Send,
        received: dict[bytes, bytes],
        record: Record,
    ) -> None:
        state = scope["state"]
        state["request_id"] = record.request_id
        headers = {"X-Request-Id": record.request_id}
        try:
            _check_size(scope["headers"])
            headers |= self._browsers.check(received)
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in received:
                headers |= self._browsers.preflight(_METHODS)
                record.status = 204
                await _send_nothing(send, headers)
                return
            path = canonical(scope["path"])
            if path != scope["path"]:
                scope["path"] = path
                scope["raw_path"] = path.encode()
            principal = ANONYMOUS if self._public.fullmatch(path) else self._keys.identify(received)
        except ApiError as error:
            error.headers |= headers
            record.status = error.status
            dialect = dialect_of(canonical(scope["path"]))
            await send_error(send, error, record.request_id, dialect)
            return
        state["principal"] = principal
        headers["X-Auth-Method"] = principal.method
        state[SEND_BODY] = send
        extra = _encoded(headers)

        def send_with_headers(message: Message) -> object:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                message["headers"] = [*message["headers"], *extra]
                if record.ignored:
                    named = ", ".join(record.ignored).encode("ascii", "replace")
                    message["headers"] = [*message["headers"], (b"x-jan-ignored", named)]
            return send(message)

        await self._app(scope, receive, send_with_headers)  # type: ignore[arg-type]


def _request_id(headers: dict[bytes, bytes]) -> str:
    """The caller's, if it can be a header's value and a line of a log; otherwise a new one."""
    given = headers.get(b"x-request-id", b"")
    text = given.decode("latin-1")
    if 0 < len(given) <= _MOST_ID_BYTES and text.isascii() and text.isprintable():
        return text
    return new_id("req_")


def _check_size(headers: Iterable[tuple[bytes, bytes]]) -> None:
    if sum(len(name) + len(value) for name, value in headers) > _MOST_HEADER_BYTES:
        raise ApiError(431, "headers_too_large", "Headers are more than 32 KiB")


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


async def _send_nothing(send: Send, headers: dict[str, str]) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
