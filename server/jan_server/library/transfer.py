"""One file over HTTP into a partial file, going on where an earlier try ended.

Runs on a thread of its own. What was received stays in the partial file whatever happens; only a
wrong hash, or a server that has another file by now, makes it start anew.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import httpx2
import msgspec

from jan_server.errors import ApiError
from jan_server.library.redirects import BadRedirect, following

__all__ = ["Fetch", "Stopped", "fetch", "open_client"]

_CHUNK_BYTES = 1024 * 1024
_FEWEST_FREE_BYTES = 64 * 1024 * 1024  # left to everybody else on the disk
_LOOK_BYTES = 64 * 1024 * 1024  # received between two looks at what is free
_MAGIC = b"GGUF"
_N_TRIES = 6  # in a row without a single byte
_LONGEST_WAIT_S = 20.0
_TIMEOUT = httpx2.Timeout(20.0, pool=None)
_MAY_PASS = {408, 425, 429, 500, 502, 503, 504}


class Stopped(Exception):
    """Somebody cancelled it."""


class Fetch(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    name: str  # for messages
    headers: Mapping[str, str] = {}
    n_bytes: int | None = None  # where it is known beforehand
    sha256: str = ""  # where it is known beforehand


class _Interrupted(Exception):
    """The connection ended, or the server has no time: try again."""

    def __init__(self, why: str, wait_s: float = 0.0) -> None:
        super().__init__(why)
        self.wait_s = wait_s


def fetch(
    wanted: Fetch,
    partial: Path,
    *,
    client: httpx2.Client,
    stop: threading.Event,
    on_bytes: Callable[[int, int | None], None],
) -> str:
    """The sha256 of the whole file, which then lies in `partial` and on the disk.

    `on_bytes` hears how much is there, and of how much. Raises ApiError, or Stopped.
    """
    try:
        with partial.open("r+b" if partial.exists() else "w+b") as file:
            arrival = _Arrival(wanted, file, partial.with_suffix(".etag"), on_bytes, stop)
            arrival.complete(client)
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            with suppress(OSError):  # to the last byte: everybody else waits for this space
                partial.unlink()
            raise _no_room(wanted.name) from error
        why = error.strerror or str(error)
        raise ApiError(500, "write_failed", f"{wanted.name} cannot be written: {why}") from error
    found = arrival.digest.hexdigest()
    if wanted.sha256 and found != wanted.sha256:
        partial.unlink()
        message = f"{wanted.name} has sha256 {found}, not {wanted.sha256}"
        raise ApiError(502, "hash_mismatch", message)
    return found


class _Arrival:
    """What of a file is here, and its hash so far."""

    def __init__(
        self,
        wanted: Fetch,
        file: BinaryIO,
        etag_file: Path,
        on_bytes: Callable[[int, int | None], None],
        stop: threading.Event,
    ) -> None:
        self.wanted = wanted
        self.digest = hashlib.sha256()
        self._file = file
        self._etag_file = etag_file
        self._on_bytes = on_bytes
        self._stop = stop
        self._n_total = wanted.n_bytes
        self._etag = etag_file.read_text() if etag_file.exists() else ""
        self._n_here = 0
        self._read_what_is_there()

    def complete(self, client: httpx2.Client) -> None:
        n_failed = 0
        while self._n_total is None or self._n_here < self._n_total:
            n_before = self._n_here
            try:
                self._receive(client)
                return
            except BadRedirect as error:
                raise self._failed(f"it is sent on {error}") from error
            except (httpx2.UnsupportedProtocol, httpx2.InvalidURL) as error:
                raise self._failed(str(error)) from error
            except (httpx2.TransportError, _Interrupted) as error:
                n_failed = 0 if self._n_here > n_before else n_failed + 1
                if n_failed >= _N_TRIES:
                    raise self._failed(str(error) or type(error).__name__) from error
                wait_s = getattr(error, "wait_s", 0.0) or 0.25 * 2**n_failed
                if self._stop.wait(min(wait_s, _LONGEST_WAIT_S)):
                    raise Stopped from None

    def _read_what_is_there(self) -> None:
        while part := self._file.read(_CHUNK_BYTES):
            self._check_stop()
            self.digest.update(part)
            self._n_here += len(part)
        if self._n_total is not None and self._n_here > self._n_total:
            self._start_anew()
        self._on_bytes(self._n_here, self._n_total)

    def _receive(self, client: httpx2.Client) -> None:
        headers = {**self.wanted.headers, "Accept-Encoding": "identity"}
        if self._n_here:
            headers["Range"] = f"bytes={self._n_here}-"
            if self._etag:
                headers["If-Range"] = self._etag
        with following(client, self.wanted.url, headers) as answer:
            if answer.status_code == 416 and self._n_here:  # the file is shorter by now, or whole
                if answer.headers.get("content-range") == f"bytes */{self._n_here}":
                    self._n_total = self._n_here
                    return
                self._start_anew()
                raise _Interrupted("the server has another file by now")
            self._check_status(answer)
            if answer.status_code == 206:
                self._check_range(answer)
            elif self._n_here:
                self._start_anew()
            self._remember(answer)
            self._check_room()
            look_at = self._n_here + _LOOK_BYTES
            for part in answer.iter_raw():  # as it comes: a cut loses nothing
                self._check_stop()
                self._take(part)
                if self._n_here >= look_at:
                    self._check_room()
                    look_at = self._n_here + _LOOK_BYTES
        if self._n_total is not None and self._n_here < self._n_total:
            raise _Interrupted(f"the connection ended {self._n_total - self._n_here} bytes early")
        self._n_total = self._n_here

    def _take(self, part: bytes) -> None:
        if self._n_here < len(_MAGIC):
            self._check_magic(part)
        if self._n_total is not None and self._n_here + len(part) > self._n_total:
            raise self._failed("the server sends more than the file has")
        self._file.write(part)
        self.digest.update(part)
        self._n_here += len(part)
        self._on_bytes(self._n_here, self._n_total)

    def _check_magic(self, part: bytes) -> None:
        """At the first bytes, not after an hour."""
        if not self._n_here and not part.startswith(_MAGIC[: len(part)]):
            raise ApiError(400, "not_gguf", f"{self.wanted.name} is not a GGUF file")

    def _check_status(self, answer: httpx2.Response) -> None:
        status = answer.status_code
        if status in (200, 206):
            return
        if status in _MAY_PASS:
            wait_s = _whole_number(answer.headers.get("retry-after", "")) or 0
            raise _Interrupted(f"the server says {status}", float(wait_s))
        if status in (401, 403):
            message = (
                f"{self.wanted.name}: access is refused ({status}); is HF_TOKEN set and allowed?"
            )
            raise ApiError(502, "access_refused", message)
        if status in (404, 410):
            raise ApiError(404, "model_not_found", f"{self.wanted.name} is not there ({status})")
        raise self._failed(f"the server says {status}")

    def _check_range(self, answer: httpx2.Response) -> None:
        if not answer.headers.get("content-range", "").startswith(f"bytes {self._n_here}-"):
            self._start_anew()
            raise _Interrupted("the server answered with another range")

    def _remember(self, answer: httpx2.Response) -> None:
        length = _whole_number(answer.headers.get("content-length", ""))
        if length is not None:
            n_total = self._n_here + length
            if self.wanted.n_bytes not in (None, n_total):
                raise self._failed(f"the server has {n_total} bytes, not {self.wanted.n_bytes}")
            self._n_total = n_total
        etag = answer.headers.get("etag", "")
        if etag.startswith('"') and etag != self._etag:  # a weak one says nothing of bytes
            self._etag = etag
            self._etag_file.write_text(etag)

    def _check_room(self) -> None:
        """Raises 507. What is here of a file whose length nobody told is then gone."""
        free = shutil.disk_usage(self._etag_file.parent).free
        n_left = 0 if self._n_total is None else self._n_total - self._n_here
        if n_left + _FEWEST_FREE_BYTES > free:
            if self._n_total is None:
                self._start_anew()
            raise _no_room(self.wanted.name, n_left, free)

    def _start_anew(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self.digest = hashlib.sha256()
        self._n_here = 0
        self._n_total = self.wanted.n_bytes
        self._etag = ""

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def _failed(self, why: str) -> ApiError:
        return ApiError(502, "download_failed", f"{self.wanted.name} was not received: {why}")


def open_client() -> httpx2.Client:
    return httpx2.Client(timeout=_TIMEOUT)


def _no_room(name: str, n_bytes: int = 0, free: int = 0) -> ApiError:
    sizes = f": {_gb(n_bytes)} are missing, {_gb(free)} are free" if n_bytes else ""
    return ApiError(507, "disk_full", f"there is no room for {name}{sizes}")


def _whole_number(text: str) -> int | None:
    """Of a header, which may hold anything: other alphabets have digits, too."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.2f} GB"
