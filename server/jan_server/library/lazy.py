"""A library that is opened when it is first asked for: what it imports takes longer than the start
of a server that has one file to serve.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jan_server.library.library import Library
    from jan_server.library.progress import Progress

__all__ = ["LazyLibrary"]


class LazyLibrary:
    """Belongs to one event loop."""

    def __init__(self, home: Path, tell: Callable[[Progress], None], *, with_demo: bool) -> None:
        """`with_demo`: the model that comes with the package is among them."""
        self._home = home
        self._with_demo = with_demo
        self._tell = tell
        self._opening: asyncio.Task[Library] | None = None

    @property
    def opened(self) -> Library | None:
        """Where somebody needed it."""
        task = self._opening
        if task is None or not task.done() or task.cancelled() or task.exception():
            return None
        return task.result()

    async def get(self) -> Library:
        """Raises 500 where it cannot be opened; the next caller tries again."""
        task = self._opening
        if task is None or (task.done() and task.exception() is not None):
            task = self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(task)

    async def close(self) -> None:
        if self._opening is not None:
            await asyncio.wait({self._opening})
            if (library := self.opened) is not None:
                await library.close()

    async def _open(self) -> Library:
        # On another thread, so that streams go on meanwhile.
        module = await asyncio.to_thread(import_module, "jan_server.library.library")
        packaged = await asyncio.to_thread(module.demo_model) if self._with_demo else None
        library: Library = await module.open_library(self._home, self._tell, packaged)
        return library
