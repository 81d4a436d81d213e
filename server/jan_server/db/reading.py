"""Opens SQLite files to read them, also where nothing may be written. Imports nothing that takes
time.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

__all__ = ["DISK_ERRORS", "connect_to_read", "primary_code"]

DISK_ERRORS = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
}
"""What SQLite says of a disk that is full or cannot be written, by its primary codes."""


def connect_to_read(path: Path, *, timeout_s: float = 5.0) -> sqlite3.Connection:
    """Raises sqlite3.Error.

    Even a reader keeps its place in a file beside the database. Where none can be made, nobody
    changes the database either, so that it is read as what never changes.
    """
    try:
        return _connect(path, "mode=ro", timeout_s)
    except sqlite3.OperationalError as error:
        if primary_code(error) not in DISK_ERRORS or not path.exists():
            raise
    return _connect(path, "mode=ro&immutable=1", timeout_s)


def primary_code(error: BaseException | None) -> int:
    """0 for what is no error of SQLite."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _connect(path: Path, how: str, timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=timeout_s)
    try:
        connection.execute("select 1 from sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
