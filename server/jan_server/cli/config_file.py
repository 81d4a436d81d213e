"""A file of settings in TOML: JAN_CONFIG, or config.toml in JAN_HOME."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from jan_server.config import Settings
from jan_server.home import home_folder

__all__ = ["config_path", "read_config"]

_KNOWS_HOME = ("JAN_HOME", "HOME", "USERPROFILE")


def config_path(given: str | None, environment: Mapping[str, str]) -> Path | None:
    """The one that was named, which has to be there; or the usual one, if it is."""
    named = given or environment.get("JAN_CONFIG")
    if named:
        return Path(named).expanduser()
    if not any(name in environment for name in _KNOWS_HOME):
        return None
    usual = home_folder(environment) / "config.toml"
    return usual if usual.is_file() else None


def read_config(path: Path | None) -> dict[str, Any]:
    """By setting. Raises ValidationError for what is no TOML, and for what is no setting."""
    if path is None:
        return {}
    import tomllib

    try:
        found = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise msgspec.ValidationError(f"config: {path}: {error}") from None
    settings = {name.replace("-", "_"): value for name, value in found.items()}
    for name in settings:
        if name not in Settings.__struct_fields__ or name == "given_now":
            raise msgspec.ValidationError(f"config: {path}: there is no setting {name}")
    return settings
