"""The rows about models, read with nothing but sqlite3: importing SQLAlchemy takes longer than
`jan list` may. Whatever writes goes through jan_server.library.store.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from jan_server.db.reading import connect_to_read
from jan_server.library.records import DATABASE, StoredModel

__all__ = ["read_model", "read_models"]

_JSON = ("files", "settings")


def read_models(folder: Path) -> list[StoredModel]:
    """In the order they came; none where there is no database yet. Raises sqlite3.Error."""
    path = folder / DATABASE
    if not path.exists():
        return []
    connection = connect_to_read(path)
    connection.row_factory = sqlite3.Row
    try:
        tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'model'")
        if tables.fetchone() is None:
            return []
        names: dict[str, list[str]] = {}
        for name, model_id in connection.execute("SELECT name, model_id FROM alias ORDER BY name"):
            names.setdefault(model_id, []).append(name)
        rows = connection.execute("SELECT * FROM model ORDER BY created_at, id").fetchall()
    finally:
        connection.close()
    return [_read(dict(row), names.get(row["id"], [])) for row in rows]


def read_model(folder: Path, name: str) -> StoredModel | None:
    """By id, alias or source."""
    models = read_models(folder)
    by_name = {model.source: model for model in reversed(models)}
    by_name |= {alias: model for model in models for alias in model.aliases}
    by_name |= {model.id: model for model in models}
    return by_name.get(name)


def _read(row: dict[str, object], names: list[str]) -> StoredModel:
    for field in _JSON:
        row[field] = msgspec.json.decode(str(row[field]))
    row["folder"] = row["folder"] or ""
    return msgspec.convert({**row, "aliases": names}, StoredModel)
