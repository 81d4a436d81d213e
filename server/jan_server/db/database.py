"""Opens an SQLite database as this project wants it, brought up to its newest migration.

Many readers and one writer at a time: WAL, and a writing transaction takes its lock when it begins.
What is committed survives a loss of power. On a disk that is full or cannot be written a copy in
memory is opened, with what can be read.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import sqlite3
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool

from jan_server.db.reading import DISK_ERRORS, connect_to_read, primary_code
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
    """Makes transactions, which raise 507 where the disk is full or cannot be written. Belongs to
    the event loop it was opened on.
    """

    def __init__(
        self, engine: AsyncEngine, *, why_copied: str = "", keeper: sqlite3.Connection | None = None
    ) -> None:
        """`keeper` holds a copy in memory, which goes with its last connection."""
        self.why_copied = why_copied  # "": it is the file; otherwise what is written is not kept
        self._engine = engine
        self._keeper = keeper

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        with _explained():
            async with self._engine.connect() as connection, connection.begin():
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncConnection]:
        """Committed at the end, or nothing of it."""
        with _explained():
            async with self._engine.connect() as connection:
                await connection.execution_options(**{_WRITES: True})
                async with connection.begin():
                    yield connection

    async def close(self) -> None:
        await self._engine.dispose()
        if self._keeper is not None:
            self._keeper.close()


async def open_database(path: Path, migrations: Path) -> Database:
    """`migrations`: a folder for Alembic. Raises 500 for a file that a newer version wrote, or that
    is no database.
    """
    try:
        return await _open_file(path, migrations)
    except (OSError, sqlite3.Error, DBAPIError) as error:
        why = _why(error)
        if not _is_of_the_disk(error):
            raise ApiError(500, "no_store", f"{path} cannot be opened: {why}") from error
        try:
            return await _open_copy(path, migrations, why)
        except (OSError, sqlite3.Error, DBAPIError) as second:
            message = f"{path} cannot be read: {_why(second)}"
            raise ApiError(500, "no_store", message) from second


async def _open_file(path: Path, migrations: Path) -> Database:
    await asyncio.to_thread(_bring_up_to_date, path, migrations)
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", pool_size=2, max_overflow=0)
    _prepare(engine.sync_engine)
    try:
        async with engine.connect() as connection:  # takes the writer's lock: some only tell then
            await connection.execution_options(**{_WRITES: True})
            await connection.begin()
    except BaseException:
        await engine.dispose()
        raise
    return Database(engine)


async def _open_copy(path: Path, migrations: Path, why: str) -> Database:
    """Of what is there, and empty where there is nothing."""
    name = f"file:jan-{secrets.token_hex(8)}?mode=memory&cache=shared"
    keeper = await asyncio.to_thread(_copy, path, name, migrations)
    try:
        url = f"///{name}&uri=true"
        await asyncio.to_thread(_upgrade, f"sqlite:{url}", migrations)
        engine = create_async_engine(
            f"sqlite+aiosqlite:{url}", poolclass=AsyncAdaptedQueuePool, pool_size=1, max_overflow=0
        )
    except BaseException:
        keeper.close()
        raise
    _prepare(engine.sync_engine)
    return Database(engine, why_copied=why, keeper=keeper)


def _copy(path: Path, name: str, migrations: Path) -> sqlite3.Connection:
    keeper = sqlite3.connect(name, uri=True, check_same_thread=False)
    try:
        if path.exists():
            with closing(connect_to_read(path)) as source:
                source.backup(keeper)
        _check_not_newer(path, _revision_of(keeper), migrations)
    except BaseException:
        keeper.close()
        raise
    return keeper


@contextmanager
def _explained() -> Generator[None]:
    try:
        yield
    except DBAPIError as error:
        if not _is_of_the_disk(error):
            raise
        message = f"the models' database cannot be written: {_why(error)}"
        raise ApiError(507, "disk_full", message) from error


def _is_of_the_disk(error: Exception) -> bool:
    if isinstance(error, DBAPIError):
        return primary_code(error.orig) in DISK_ERRORS
    return isinstance(error, OSError) or primary_code(error) in DISK_ERRORS


def _why(error: Exception) -> str:
    if isinstance(error, DBAPIError):
        return str(error.orig)
    return getattr(error, "strerror", None) or str(error)


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
    newest = _revisions(migrations)[-1]
    if _revision(path) == newest:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".migrating")):
        there = _revision(path)
        if there != newest:
            _check_not_newer(path, there, migrations)
            _upgrade(f"sqlite:///{path}", migrations)


def _upgrade(url: str, migrations: Path) -> None:
    """Alembic takes as long to import as everything else together, so it is asked only where
    something is to be done.
    """
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={})
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    engine = create_engine(url, poolclass=NullPool)
    _prepare(engine)
    with engine.connect().execution_options(**{_WRITES: True}) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def _revisions(migrations: Path) -> list[str]:
    """From the first to the newest."""
    return sorted(
        found[1]
        for file in (migrations / "versions").glob("m*.py")
        if (found := re.fullmatch(r"m(\d{4})_\w+", file.stem))
    )


def _check_not_newer(path: Path, revision: str | None, migrations: Path) -> None:
    if revision is not None and revision not in _revisions(migrations):
        message = f"{path} was written by a newer version of this program"
        raise ApiError(500, "newer_database", message)


def _revision(path: Path) -> str | None:
    """None for a database that is not there, or empty."""
    if not path.exists():
        return None
    with closing(connect_to_read(path)) as connection:
        return _revision_of(connection)


def _revision_of(connection: sqlite3.Connection) -> str | None:
    try:
        row = connection.execute("select version_num from alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    return None if row is None else str(row[0])
