"""What `jan serve` is to serve: a file, a model of ours by its name, or one to fetch first."""

from __future__ import annotations

from pathlib import Path

from jan_server.cli.store import read_model
from jan_server.config import Settings
from jan_server.demo import DEMO_FILE, DEMO_ID
from jan_server.errors import ApiError
from jan_server.home import home_of, models_folder
from jan_server.inference.resident import own_settings
from jan_server.library.records import StoredModel

__all__ = ["with_file"]

_ELSEWHERE = ("hf:", "hf.co/", "huggingface.co/", "https://", "http://")


def with_file(settings: Settings) -> Settings:
    """The same with a file in place of a name. A file costs nothing to look for, a name one query.
    What is neither is left to whoever opens it. Raises ApiError where nothing could be fetched.
    """
    name = settings.model
    if not name or Path(name).expanduser().is_file():
        return settings
    root = models_folder(home_of(settings.home))
    model = read_model(root, name)
    if model is not None and model.is_here(root):
        return _of(model, root, settings)
    if name == DEMO_ID:
        return own_settings(settings, str(DEMO_FILE), settings.alias or DEMO_ID, {})
    if name.startswith(_ELSEWHERE):
        return _of(_fetched(name, root.parent, settings), root, settings)
    return settings


def _of(model: StoredModel, root: Path, settings: Settings) -> Settings:
    model_id = settings.alias or model.id
    return own_settings(settings, str(model.path(root)), model_id, model.settings)


def _fetched(name: str, home: Path, settings: Settings) -> StoredModel:
    from jan_server.cli.pull import fetched
    from jan_server.library.source import read_source

    if settings.offline:
        raise ApiError(503, "offline", f"{name}: is not here, and --offline is given")
    return fetched(read_source(name), home)
