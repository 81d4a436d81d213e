"""What llama.cpp says goes to Python's logging, under "jan_engine.llama"."""

from __future__ import annotations

import logging

from jan_engine import _core

__all__ = ["forward"]

_LOGGER = logging.getLogger("jan_engine.llama")
logging.getLogger("jan_engine").addHandler(logging.NullHandler())  # silent unless asked for
# One level below upstream's: what it calls an error reaches the user as an exception of ours.
_LEVELS = {1: logging.DEBUG, 2: logging.DEBUG, 3: logging.INFO, 4: logging.WARNING}


def forward() -> None:
    """Hand over everything logged since the last call."""
    for level, text in _core.take_log():
        _LOGGER.log(_LEVELS[level], text)
