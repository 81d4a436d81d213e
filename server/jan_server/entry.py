"""What every request passes before it is routed, in this order: an id, the guards, one spelling
of its path. Plain ASGI, since a router would answer some requests before any middleware of its own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from jan_server.answers import SEND_BODY, send_error
from jan_server.caller import called
from jan_server.errors import ANTHROPIC, ApiError, dialect_of
from jan_server.ids import new_id
from jan_server.paths import canonical
from jan_server.security.browser import BrowserGuard
from jan_server.security.principal import ANONYMOUS, KeyRing
from jan_server.telemetry.observer import Observer
from jan_server.telemetry.record import Record, recorded

__all__ = ["Entry"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_ONCE = (b"host", b"origin", b"authorization", b"x-api-key", b"apikey", b"sec-fetch-site")
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
        if scope["method"] == "HEAD":  # whatever is read by GET; uvicorn keeps the body to itself
            scope = cast("HTTPScope", {**scope, "method": "GET"})
            send = _head_only(send)
        recorded(record)
        called(receive)
        self._observer.began()
        try:
            await self._answer(scope, receive, send, received, record)
        finally:
            if "path_template" in scope:  # the router found a handler
                record.route = scope["path_template"]
            if record.goes_on is None:
                self._end(record)
            else:  # what is made for later counts, and holds its model, until it is there
                record.goes_on.add_done_callback(lambda _: self._end(record))

    def _end(self, record: Record) -> None:
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
        path = canonical(scope["path"])
        dialect = dialect_of(path)
        if dialect is ANTHROPIC:
            headers["Request-Id"] = record.request_id
        is_public = self._public.fullmatch(path) is not None
        try:
            _check_headers(scope["headers"], received)
            is_harmless = is_public and scope["method"] == "GET"
            headers |= self._browsers.check(received, is_harmless=is_harmless)
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in received:
                headers |= self._browsers.preflight(_METHODS, received)
                record.status = 204
                await _send_nothing(send, headers)
                return
            if path != scope["path"]:
                scope["path"] = path
                scope["raw_path"] = path.encode()
            principal = ANONYMOUS if is_public else self._keys.identify(received)
        except ApiError as error:
            error.headers |= headers
            record.status = error.status
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


def _check_headers(headers: Iterable[tuple[bytes, bytes]], received: dict[bytes, bytes]) -> None:
    """`received`: of those that came more than once the last."""
    if sum(len(name) + len(value) for name, value in headers) > _MOST_HEADER_BYTES:
        raise ApiError(431, "headers_too_large", "Headers are more than 32 KiB")
    names = [name for name, _ in headers]
    if len(received) == len(names):
        return
    for name in _ONCE:  # a proxy in front may have looked at the other one
        if names.count(name) > 1:
            message = f"The header {name.decode()} came more than once"
            raise ApiError(400, "invalid_http", message)


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


def _head_only(send: Send) -> Send:
    """Ends the answer with its headers."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head


async def _send_nothing(send: Send, headers: dict[str, str]) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
