"""JAN_HOME: where this user's models and state lie."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["adapters_folder", "home_folder", "home_of", "models_folder"]


def home_of(said: str) -> Path:
    """What a setting says, or else home_folder()."""
    return Path(said).expanduser().absolute() if said else home_folder()


def home_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """JAN_HOME, or the platform's folder for data. It need not exist yet."""
    if given := environment.get("JAN_HOME"):
        return Path(given).expanduser().absolute()
    if sys.platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "jan-engine"
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/jan-engine"
    return Path(environment.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "jan-engine"


def adapters_folder(home: Path) -> Path:
    """Whose files may be loaded over HTTP. Made by whoever puts one there."""
    return home / "adapters"


def models_folder(home: Path) -> Path:
    return home / "models"
