"""Work that grows with a request, away from the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

__all__ = ["aside"]

T = TypeVar("T")


async def aside(work: Callable[[], T], *, unless: bool = False) -> T:
    """On another thread; `unless` it is short, which costs less than to change threads."""
    return work() if unless else await asyncio.to_thread(work)
