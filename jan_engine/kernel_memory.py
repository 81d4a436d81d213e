"""What was timed once on this machine need not be timed at every start.

A small file in the user's cache folder, or in JAN_CACHE_DIR. Without it the next load times again.
Losing it costs time and nothing else, so nothing that goes wrong with it is an error.
"""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

import msgspec

from jan_engine.whole_file import write_whole

__all__ = ["recall", "remember"]

_LOGGER = logging.getLogger("jan_engine.kernel")
_MOST_ENTRIES = 256


class Timed(msgspec.Struct, frozen=True):
    """Seconds of 0: finding out took too long, which it would again."""

    flash: bool
    plain_s: float
    flash_s: float


def recall(key: str) -> Timed | None:
    return _read().get(key)


def remember(key: str, timed: Timed) -> None:
    """The oldest is forgotten where there are too many."""
    kept = _read()
    kept.pop(key, None)
    kept[key] = timed
    for oldest in list(kept)[:-_MOST_ENTRIES]:
        del kept[oldest]
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, msgspec.json.format(msgspec.json.encode(kept)), durable=False)
    except OSError as error:
        _LOGGER.debug("what was timed is not kept: %s", error)


def _read() -> dict[str, Timed]:
    try:
        return msgspec.json.decode(_path().read_bytes(), type=dict[str, Timed])
    except (OSError, msgspec.DecodeError):
        return {}


def _path() -> Path:
    given = os.environ.get("JAN_CACHE_DIR")
    folder = Path(given) if given else _user_cache() / "jan-engine"
    return folder / "attention-kernels.json"


def _user_cache() -> Path:
    given = os.environ.get("XDG_CACHE_HOME")
    if given:
        return Path(given)
    try:
        return Path.home() / ".cache"
    except RuntimeError:  # a user without a home
        return Path(tempfile.gettempdir())
