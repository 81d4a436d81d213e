"""One TCP connection, one request at a time. httptools reads HTTP; no bytes are copied twice."""

from __future__ import annotations

import asyncio
import time
from typing import cast

import httptools

from jan_bench.load.frames import AnswerReader

__all__ = ["Closed", "Connection"]


class Closed(Exception):
    """The connection ended before the first byte of an answer."""


class Connection(asyncio.Protocol):
    def __init__(self, began_s: float) -> None:
        """`began_s`: what perf_counter said when the run began."""
        self._began_s = began_s
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._reader: AnswerReader | None = None
        self._done: asyncio.Future[None] | None = None
        self._content_type = ""
        self._now_s = 0.0
        self._has_begun = False
        self._is_delimited = False  # by a length or chunks

    async def ask(self, request: bytes, reader: AnswerReader) -> None:
        """Until the answer has ended, however it did. Raises Closed where none began."""
        assert self._transport is not None
        assert self._done is None, "one at a time"
        self._reader, self._has_begun = reader, False
        self._done = self._loop.create_future()
        self._transport.write(request)
        try:
            await self._done
        finally:
            self._done = self._reader = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass

    def data_received(self, data: bytes) -> None:
        self._now_s = time.perf_counter() - self._began_s
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._finish(is_whole=False)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        # Neither a length nor chunks: the end of the connection is that of the answer.
        self._finish(is_whole=not self._is_delimited)

    def on_header(self, name: bytes, value: bytes) -> None:
        lowered = name.lower()
        if lowered == b"content-type":
            self._content_type = value.decode("latin-1")
        elif lowered in (b"content-length", b"transfer-encoding"):
            self._is_delimited = True

    def on_message_begin(self) -> None:
        self._content_type, self._is_delimited = "", False

    def on_headers_complete(self) -> None:
        self._has_begun = True
        if self._reader is not None:
            self._reader.begin(self._parser.get_status_code(), self._content_type)

    def on_body(self, body: bytes) -> None:
        if self._reader is not None:
            self._reader.take(body, self._now_s)

    def on_message_complete(self) -> None:
        keeps = self._parser.should_keep_alive()
        self._finish(is_whole=True)
        if not keeps:
            self.close()

    def _finish(self, *, is_whole: bool) -> None:
        if self._done is None or self._done.done():
            return
        if not self._has_begun:
            self._done.set_exception(Closed())
            return
        assert self._reader is not None
        self._reader.end(self._now_s, is_whole=is_whole)
        self._done.set_result(None)
