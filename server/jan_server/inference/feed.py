"""What becomes of models, for whoever listens. Belongs to the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator
from contextlib import contextmanager

import msgspec

from jan_server.library.progress import Progress

__all__ = ["Feed", "ModelState"]

_log = logging.getLogger("jan_server")
_MOST_UNREAD = 256


class ModelState(msgspec.Struct, frozen=True):
    id: str
    state: str  # loading, ready, stopping, stopped, failed, deleted


class Feed:
    """A listener that does not keep up loses the oldest. None is the last it hears."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[ModelState | Progress | None]] = set()

    def tell_state(self, model_id: str, state: str) -> None:
        self._tell(ModelState(model_id, state))

    def tell_progress(self, progress: Progress) -> None:
        if progress.state == "failed":  # often nobody waits for it
            _log.warning("%s was not downloaded: %s", progress.source, progress.error)
        self._tell(progress)

    @contextmanager
    def listening(self) -> Generator[asyncio.Queue[ModelState | Progress | None]]:
        queue: asyncio.Queue[ModelState | Progress | None] = asyncio.Queue(_MOST_UNREAD)
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        """Nothing more will come."""
        self._tell(None)

    def _tell(self, what: ModelState | Progress | None) -> None:
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(what)
