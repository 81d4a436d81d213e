"""How far a download is, for whoever shows it."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Literal

import msgspec

__all__ = ["DownloadState", "FileProgress", "Meter", "Progress"]

DownloadState = Literal["looking", "downloading", "checking", "done", "failed", "cancelled"]
_RATE_S = 5.0  # the time over which a rate is told
_RATE_STEP_S = 0.05


class FileProgress(msgspec.Struct, kw_only=True):
    name: str
    n_bytes: int = 0  # that are here
    n_total: int | None = None


class Progress(msgspec.Struct, kw_only=True):
    id: str
    source: str
    state: DownloadState
    files: list[FileProgress] = []
    n_bytes: int = 0
    n_total: int | None = None
    bytes_per_s: float = 0.0
    eta_s: float | None = None
    error: str | None = None
    code: str | None = None


class Meter:
    """Counts on the thread that receives, and is read on any other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: list[FileProgress] = []
        self._moments: deque[tuple[float, int]] = deque()  # (when, bytes received by then)
        self._n_received = 0  # by this try; what an earlier one left is not speed

    def expect(self, files: list[FileProgress]) -> None:
        with self._lock:
            self._files = files

    def count(self, index: int, n_bytes: int, n_total: int | None, *, first: bool) -> None:
        """`first`: of this try, so that many were there already."""
        with self._lock:
            file = self._files[index]
            if not first:
                self._n_received += max(0, n_bytes - file.n_bytes)
            file.n_bytes, file.n_total = n_bytes, n_total
            now_s = time.monotonic()
            if not self._moments or now_s - self._moments[-1][0] > _RATE_STEP_S:
                self._moments.append((now_s, self._n_received))
            while now_s - self._moments[0][0] > _RATE_S:
                self._moments.popleft()

    def read(self) -> tuple[list[FileProgress], float]:
        """A copy, and bytes per second of late."""
        with self._lock:
            files = [msgspec.structs.replace(file) for file in self._files]
            if len(self._moments) < 2:
                return files, 0.0
            began_s, n_before = self._moments[0]
            return files, (self._n_received - n_before) / max(0.05, time.monotonic() - began_s)
