"""The rows about models. Whether their files are there is the library's business."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from jan_server.db.database import Database, open_database
from jan_server.errors import ApiError
from jan_server.library.records import DATABASE, StoredModel
from jan_server.library.tables import aliases, folders, models

__all__ = ["Store", "open_store"]

_MIGRATIONS = Path(__file__).parent / "migrations"


async def open_store(folder: Path) -> Store:
    """Makes the database where there is none."""
    return Store(await open_database(folder / DATABASE, _MIGRATIONS))


class Store:
    """A name is a model's id or an alias, never both."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def why_copied(self) -> str:
        """ "": what is written is kept. Otherwise why the rows are a copy in memory."""
        return self._database.why_copied

    async def close(self) -> None:
        await self._database.close()

    async def models(self) -> list[StoredModel]:
        """In the order they came."""
        async with self._database.reading() as connection:
            return await _models(connection)

    async def find(self, name: str) -> StoredModel | None:
        """By id, alias or source."""
        async with self._database.reading() as connection:
            return await _find(connection, name)

    async def add(self, model: StoredModel, *, otherwise: str = "") -> StoredModel:
        """As it is kept: a file that is listed already stays what it is. Where its name is taken it
        gets one that begins with `otherwise`; without that, raises 409.
        """
        async with self._database.writing() as connection:
            there = await _models(connection)
            for other in there:
                if other.files[0].path == model.files[0].path:
                    return other
            if otherwise:
                taken = {name for other in there for name in (other.id, *other.aliases)}
                model = msgspec.structs.replace(model, id=_free(model.id, otherwise, taken))
            if await _find(connection, model.id, by_source=False) is not None:
                raise _taken(model.id)
            await _insert(connection, model)
            return model

    async def remove(self, model_id: str) -> bool:
        """With its aliases. False where there is none."""
        async with self._database.writing() as connection:
            done = await connection.execute(delete(models).where(models.c.id == model_id))
            return bool(done.rowcount)

    async def add_alias(self, name: str, model_id: str) -> None:
        """Raises 409 for a name that is taken."""
        async with self._database.writing() as connection:
            taken = await _find(connection, name, by_source=False)
            if taken is not None:
                if taken.id == model_id and name != model_id:
                    return
                raise _taken(name)
            await connection.execute(insert(aliases).values(name=name, model_id=model_id))

    async def remove_alias(self, name: str) -> bool:
        async with self._database.writing() as connection:
            done = await connection.execute(delete(aliases).where(aliases.c.name == name))
            return bool(done.rowcount)

    async def set_settings(self, model_id: str, settings: Mapping[str, Any]) -> None:
        async with self._database.writing() as connection:
            await connection.execute(
                update(models).where(models.c.id == model_id).values(settings=dict(settings))
            )

    async def folders(self) -> dict[str, str]:
        """Registered folders of other tools: path to kind."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(folders.c.path, folders.c.kind))
            return {path: kind for path, kind in rows}

    async def set_found(self, path: str, kind: str, found: Iterable[StoredModel]) -> None:
        """What a registered folder holds now. A name that another model has stays that one's."""
        async with self._database.writing() as connection:
            before = {m.id: m for m in await _models(connection) if m.folder == path}
            await connection.execute(delete(models).where(models.c.folder == path))
            known = await connection.execute(select(folders).where(folders.c.path == path))
            if known.first() is None:
                await connection.execute(insert(folders).values(path=path, kind=kind))
            for model in found:
                kept = before.get(model.id)
                if await _find(connection, model.id, by_source=False) is None:
                    settings = kept.settings if kept else model.settings
                    await _insert(connection, msgspec.structs.replace(model, settings=settings))
                    for name in kept.aliases if kept else ():
                        of_model = {"name": name, "model_id": model.id}
                        await connection.execute(insert(aliases).values(of_model))

    async def forget_folder(self, path: str) -> bool:
        """With what was found in it."""
        async with self._database.writing() as connection:
            done = await connection.execute(delete(folders).where(folders.c.path == path))
            return bool(done.rowcount)


async def _models(connection: AsyncConnection) -> list[StoredModel]:
    names: dict[str, list[str]] = {}
    for name, model_id in await connection.execute(select(aliases).order_by(aliases.c.name)):
        names.setdefault(model_id, []).append(name)
    rows = await connection.execute(select(models).order_by(models.c.created_at, models.c.id))
    return [_read(row, names.get(row["id"], [])) for row in rows.mappings()]


async def _find(
    connection: AsyncConnection, name: str, *, by_source: bool = True
) -> StoredModel | None:
    of_alias = select(aliases.c.model_id).where(aliases.c.name == name).scalar_subquery()
    conditions = [models.c.id == name, models.c.id == of_alias]
    if by_source:
        conditions.append(models.c.source == name)
    for condition in conditions:
        row = (await connection.execute(select(models).where(condition))).mappings().first()
        if row is not None:
            names = select(aliases.c.name).where(aliases.c.model_id == row["id"])
            found = (await connection.execute(names.order_by(aliases.c.name))).scalars().all()
            return _read(row, list(found))
    return None


async def _insert(connection: AsyncConnection, model: StoredModel) -> None:
    fields = msgspec.to_builtins(model)
    del fields["aliases"]
    fields["folder"] = fields["folder"] or None
    await connection.execute(insert(models).values(fields))


def _free(name: str, otherwise: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    further = (f"{otherwise}-{n}" for n in itertools.count(2))
    return next(one for one in itertools.chain([otherwise], further) if one not in taken)


def _read(row: Mapping[Any, Any], names: list[str]) -> StoredModel:
    fields = {str(name): value for name, value in row.items()}
    return msgspec.convert({**fields, "folder": row["folder"] or "", "aliases": names}, StoredModel)


def _taken(name: str) -> ApiError:
    return ApiError(409, "name_taken", f"id: '{name}' is another model's name", param="id")
