"""HTTP/1.1 as uvicorn speaks it, with an end to everything that a peer may begin before it has
shown a key: heads, trailers, waiting, and requests whose body never comes.
"""

from __future__ import annotations

import logging
import math
import socket
from asyncio import Transport
from functools import cached_property
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from jan_server.connections.registry import Connections
from jan_server.errors import ApiError, dialect_of
from jan_server.ids import new_id
from jan_server.paths import canonical

__all__ = ["BoundedHttp"]

_log = logging.getLogger("jan_server")
_LINGER_S = 2.0  # that a refused peer has to read why
_STILL_THERE = b"HTTP/1.1 100 Continue\r\n\r\n"
_FIRST_LOOK_S, _LAST_LOOK_S = 0.01, 1.0


class BoundedHttp(HttpToolsProtocol):
    """One connection. `deadline_s` says until when something has to come; `watch` sees to it."""

    def __init__(self, connections: Connections, **given: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(**given)
        self._connections = connections
        self._limits = connections.limits
        self.deadline_s = math.inf
        self.n_quiet = 0  # bytes since the parser last came to the end of something
        self._went_on = False  # it did in what it was fed last
        self._head_begun = False  # there are bytes of a request whose headers are not whole
        self._body_missing = False  # its headers are, its body is not
        self._n_trailers = 0
        self._n_body = 0
        self._body_began_s = 0.0
        self._is_deaf = False  # refused: what still comes is not looked at
        self._sends_no_more = False  # the peer shut its side after its request

    # The connection's life

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        now_s = self.loop.time()
        if self._connections.enter(self, now_s):
            self.deadline_s = now_s + self._limits.idle_s
        else:
            self._refuse(503, "too_many_connections", "The server has no connection left")
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._count_quiet(0)
        self._connections.leave(self)
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """A peer that sends no more may still read, and one that has left says the same."""
        if self._is_deaf or not self._awaits_answer or self._body_missing:
            return None
        if self.scheme == "https":  # TLS has no half that could stay open
            return None
        if not self._sends_no_more:
            self._sends_no_more = True
            if not self.cycle.response_started and self.scope["http_version"] == "1.1":
                self.transport.write(_STILL_THERE)  # whoever has left refuses it
            elif not self.cycle.response_started:
                self.deadline_s = self.loop.time() + self._limits.left_s
            self.loop.call_later(_FIRST_LOOK_S, self._look_for_peer, _FIRST_LOOK_S)
        return True

    def shutdown(self) -> None:
        super().shutdown()
        if not self._awaits_answer:
            self.deadline_s = self.loop.time() + _LINGER_S  # also where nobody reads the last one

    def give_way(self) -> None:
        """To another connection."""
        self.transport.abort()
        self._count_quiet(0)
        self._connections.leave(self)

    def expire(self, now_s: float) -> None:
        """Its deadline has passed."""
        if self._is_deaf:
            self.transport.abort()
        elif self._awaits_answer and self._body_missing:
            if self.flow.read_paused:  # by us
                self.deadline_s = now_s + self._limits.body_s
            else:
                self._end_request()
        elif self._head_begun and not self._awaits_answer:
            self._refuse(408, "request_timeout", "The request's headers did not come to an end")
        elif self.transport.get_write_buffer_size() or self._awaits_answer:
            self.transport.abort()
        else:
            self.transport.close()

    # What the peer sends

    def data_received(self, data: bytes) -> None:
        while data and not self._is_deaf:
            room = self._limits.n_head_bytes - self.n_quiet
            piece, data = (data, b"") if len(data) <= room else (data[:room], data[room:])
            self._went_on = False
            if not self._fed(piece):
                return
            self._count_quiet(0 if self._went_on else self.n_quiet + len(piece))
            if self.n_quiet >= self._limits.n_head_bytes:
                self._refuse_head(f"are more than {self._limits.n_head_bytes // 1024} KiB")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_begun = True
        if not self._awaits_answer:
            self.deadline_s = self.loop.time() + self._limits.head_s

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._body_missing:  # a trailer: proxies did not see it where they look for keys
            self._n_trailers += 1
            if self._n_trailers > self._limits.n_headers:
                raise _TooManyHeaders
            return
        if len(self.headers) >= self._limits.n_headers:
            raise _TooManyHeaders
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._went_on = True
        self._head_begun = False
        self._body_missing = True
        self._n_trailers = self._n_body = 0
        self._body_began_s = self.loop.time()
        self.deadline_s = self._body_began_s + self._limits.body_s
        self._connections.busy(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._went_on = True
        self._n_body += len(body)
        limits = self._limits
        slowest_s = self._body_began_s + limits.body_s + self._n_body / limits.body_bytes_per_s
        if not self.cycle.response_complete:
            self.deadline_s = min(self.loop.time() + limits.body_s, slowest_s)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._went_on = True
        self._body_missing = False
        self.deadline_s = math.inf
        super().on_message_complete()
        if not self._awaits_answer:
            self._rest()

    # What it is answered

    def on_response_complete(self) -> None:
        """As uvicorn's, without its timer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._sends_no_more:
            self.transport.close()
        else:
            self._rest()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "invalid_http", msg)

    @property
    def _awaits_answer(self) -> bool:
        cycle = self.cycle  # None before the first request
        return cycle is not None and not cycle.response_complete  # type: ignore[redundant-expr]

    @property
    def _state(self) -> dict[str, Any]:
        """What belongs to the request; uvicorn puts it into every scope."""
        state: dict[str, Any] = self.scope["state"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
        return state

    def _fed(self, piece: bytes) -> bool:
        try:
            self.parser.feed_data(piece)  # pyright: ignore[reportOptionalMemberAccess] - set with the connection
        except httptools.HttpParserUpgrade:
            _log.debug("an upgrade to another protocol was not made")
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, _TooManyHeaders):
                self._refuse_head(f"are more than {self._limits.n_headers}")
            else:
                self.send_400_response("This is not HTTP")
            return False
        return True

    def _count_quiet(self, n: int) -> None:
        if n != self.n_quiet:
            added, self.n_quiet = n - self.n_quiet, n
            self._connections.unread(added)

    def _rest(self) -> None:
        """Until the next request."""
        limits = self._limits
        wait_s = limits.head_s if self._head_begun else limits.idle_s
        if self._body_missing:  # of a request that was answered early
            wait_s = limits.body_s
        self.deadline_s = self.loop.time() + wait_s
        principal = self._state.get("principal")
        is_known = principal is not None and principal.method != "none"
        self._connections.idle(self, is_known=is_known)

    def _refuse_head(self, why: str) -> None:
        self._refuse(431, "headers_too_large", f"The request's headers {why}")

    def _end_request(self) -> None:
        """Of a peer that does not send the rest of it."""
        self._state["timed_out"] = True
        if self.cycle.response_started:
            self.transport.abort()
            return
        why = "The rest of the request's body did not come"
        self._refuse(408, "request_timeout", why, self._state.get("request_id"))
        self.cycle.disconnected = True
        self.cycle.message_event.set()

    def _refuse(self, status: int, code: str, why: str, request_id: str | None = None) -> None:
        """Say why, look at nothing that still comes, and close soon."""
        if self._is_deaf or self.transport.is_closing():
            return
        self._is_deaf = True
        self._count_quiet(0)
        if self._awaits_answer and self.cycle.response_started:
            self.transport.abort()  # it would stand in the middle of an answer
            return
        scope: Any = self.scope  # None before the first request
        path = canonical(scope["path"]) if scope and "path" in scope else ""
        request_id = request_id or new_id("req_")
        body = dialect_of(path).envelope(ApiError(status, code, why), request_id)
        head = [*self.server_state.default_headers, (b"x-request-id", request_id.encode())]
        self.transport.write(
            STATUS_LINE.get(status, b"HTTP/1.1 431 \r\n")
            + b"".join(b"%s: %s\r\n" % header for header in head)
            + b"content-type: application/json\r\nconnection: close\r\n"
            + b"content-length: %d\r\n\r\n" % len(body)
            + body
        )
        # Closed at once, what it has sent meanwhile would take our answer with it.
        self.flow.resume_reading()
        self.deadline_s = self.loop.time() + _LINGER_S
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def _look_for_peer(self, after_s: float) -> None:
        """A peer that had left has refused what was written to it since."""
        if self.transport.is_closing() or not self._awaits_answer:
            return
        if self._socket is None or self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.transport.abort()
            return
        next_s = min(2 * after_s, _LAST_LOOK_S)
        self.loop.call_later(next_s, self._look_for_peer, next_s)

    @cached_property
    def _socket(self) -> socket.socket | None:
        return self.transport.get_extra_info("socket")  # type: ignore[no-any-return]


class _TooManyHeaders(Exception):
    """Raised inside the parser, which ends with it."""
