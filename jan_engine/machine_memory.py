"""What was found out once about this machine need not be found out at every start.

Small files in the user's cache folder, or in JAN_CACHE_DIR. Without them the next start finds out
again. Losing one costs time and nothing else, so nothing that goes wrong with it is an error.
"""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from jan_engine.whole_file import write_whole

__all__ = ["MachineMemory"]

_LOGGER = logging.getLogger("jan_engine.memory")
_MOST_ENTRIES = 256

Found = TypeVar("Found", bound=msgspec.Struct)


class MachineMemory(Generic[Found]):
    """One of these files: values of one kind by a digest of all that decides them."""

    def __init__(self, name: str, kind: type[Found]) -> None:
        self._name = name
        self._decoder: msgspec.json.Decoder[dict[str, Found]] = msgspec.json.Decoder(
            dict[str, kind]  # type: ignore[valid-type]
        )

    def recall(self, key: str) -> Found | None:
        return self._read().get(key)

    def remember(self, key: str, found: Found) -> None:
        """The oldest is forgotten where there are too many."""
        kept = self._read()
        kept.pop(key, None)
        kept[key] = found
        for oldest in list(kept)[:-_MOST_ENTRIES]:
            del kept[oldest]
        path = self.path()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, msgspec.json.format(msgspec.json.encode(kept)), durable=False)
        except OSError as error:
            _LOGGER.debug("%s is not kept: %s", path, error)

    def path(self) -> Path:
        given = os.environ.get("JAN_CACHE_DIR")
        folder = Path(given) if given else _user_cache() / "jan-engine"
        return folder / self._name

    def _read(self) -> dict[str, Found]:
        try:
            return self._decoder.decode(self.path().read_bytes())
        except (OSError, msgspec.DecodeError):
            return {}


def _user_cache() -> Path:
    given = os.environ.get("XDG_CACHE_HOME")
    if given:
        return Path(given)
    try:
        return Path.home() / ".cache"
    except RuntimeError:  # a user without a home
        return Path(tempfile.gettempdir())
