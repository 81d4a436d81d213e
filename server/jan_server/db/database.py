"""Opens an SQLite database as this project wants it, brought up to its newest migration.

Many readers and one writer at a time: WAL, and a writing transaction takes its lock when it begins.
What is committed survives a loss of power.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from jan_server.errors import ApiError

__all__ = ["Database", "open_database"]

_BUSY_MS = 10_000
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    f"PRAGMA busy_timeout = {_BUSY_MS}",
    "PRAGMA foreign_keys = ON",
)
_WRITES = "jan_writes"


class Database:
    """Transactions. Belongs to the event loop it was opened on."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        async with self._engine.connect() as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncConnection]:
        """Committed at the end, or nothing of it."""
        async with self._engine.connect() as connection:
            await connection.execution_options(**{_WRITES: True})
            async with connection.begin():
                yield connection

    async def close(self) -> None:
        await self._engine.dispose()


async def open_database(path: Path, migrations: Path) -> Database:
    """`migrations`: a folder for Alembic. Raises 500 for a file that a newer version wrote."""
    await asyncio.to_thread(_bring_up_to_date, path, migrations)
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", pool_size=2, max_overflow=0)
    _prepare(engine.sync_engine)
    return Database(engine)


def _prepare(engine: Any) -> None:  # noqa: ANN401 - what events attach to
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:  # noqa: ANN401 - a driver's
        connection.isolation_level = None  # transactions begin where we say so
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _bring_up_to_date(path: Path, migrations: Path) -> None:
    """Alembic takes as long to import as everything else together, so it is asked only where
    something is to be done.
    """
    known = sorted(
        found[1]
        for file in (migrations / "versions").glob("m*.py")
        if (found := re.fullmatch(r"m(\d{4})_\w+", file.stem))
    )
    if _revision(path) == known[-1]:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".migrating")):
        there = _revision(path)
        if there == known[-1]:
            return
        if there is not None and there not in known:
            message = f"{path} was written by a newer version of this program"
            raise ApiError(500, "newer_database", message)
        from alembic import command
        from alembic.config import Config

        config = Config(attributes={})
        config.set_main_option("script_location", str(migrations).replace("%", "%%"))
        engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
        _prepare(engine)
        with engine.connect().execution_options(**{_WRITES: True}) as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()


def _revision(path: Path) -> str | None:
    """None for a database that is not there, or empty."""
    if not path.exists():
        return None
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        row = connection.execute("select version_num from alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    finally:
        connection.close()
    return None if row is None else str(row[0])
