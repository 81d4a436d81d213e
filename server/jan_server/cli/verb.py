"""What the verbs that change models share: the library, and its errors as one line and a status."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from jan_server.cli.say import say
from jan_server.errors import ApiError
from jan_server.home import home_folder
from jan_server.library.library import Library, open_library

__all__ = ["with_library"]

_EXIT_STATUS = {400: 2, 422: 2, 404: 3, 409: 4, 503: 4}  # by the status it would have over HTTP


def with_library(work: Callable[[Library], Awaitable[int]]) -> int:
    """What `work` says, or one line about why not."""

    async def run() -> int:
        library = await open_library(home_folder())
        try:
            return await work(library)
        finally:
            await library.close()

    try:
        return asyncio.run(run())
    except ApiError as error:
        say(f"error: {error.message}")
        return _EXIT_STATUS.get(error.status, 1)
