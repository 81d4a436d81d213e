"""Keys that `jan keys` gives out: in JAN_HOME/keys.json, as digests."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from filelock import FileLock, Timeout
from msgspec import Meta

from jan_engine.whole_file import write_whole

__all__ = ["KEY_FILE", "BadKeyFile", "KeyFile", "KeyRecord", "digest"]

KEY_FILE = "keys.json"
_LOCK_S = 30.0  # that another process may take to change the file
_LOOK_S = 1.0  # how long a key that was taken back may still be good


class BadKeyFile(Exception):
    """What the file holds is no list of keys, or it cannot be read."""


class KeyRecord(msgspec.Struct, kw_only=True):
    """All that is kept: a key itself is shown once."""

    id: str
    name: str
    prefix: str  # of the key, for whoever has several
    suffix: str
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None

    def status(self, now_s: float) -> str:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and now_s >= self.expires_at else "active"


class KeyFile:
    """Read anew when it was changed; changed under a lock, by one rename."""

    def __init__(self, home: Path) -> None:
        self.path = home / KEY_FILE
        self._records: list[KeyRecord] = []
        self._read_from: tuple[int, int, int] | None = None  # the file's inode, time and size
        self._look_s = 0.0
        self.is_bad = False  # when it was last looked up

    def records(self) -> list[KeyRecord]:
        """Every key there ever was. Raises BadKeyFile."""
        try:
            facts = self.path.stat()
        except FileNotFoundError:
            self._records, self._read_from = [], None
            return []
        except OSError as error:
            raise BadKeyFile(f"{self.path}: {error.strerror}") from None
        read_from = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
        if self._read_from != read_from:
            try:
                data = self.path.read_bytes()
                self._records = msgspec.json.decode(data, type=list[KeyRecord])
            except (OSError, msgspec.DecodeError) as error:
                raise BadKeyFile(f"{self.path}: {error}") from None
            self._read_from = read_from
        return list(self._records)

    def recent(self) -> list[KeyRecord]:
        """The same, looked up once a second; what was there before where it cannot be read."""
        now_s = time.monotonic()
        if now_s >= self._look_s:
            self._look_s = now_s + _LOOK_S
            try:
                self.records()
                self.is_bad = False
            except BadKeyFile:
                self.is_bad = True
        return self._records

    def create(self, name: str, expires_at: int | None = None) -> tuple[KeyRecord, str]:
        """The record, and the key that is not shown again."""
        key = "sk_live_" + secrets.token_hex(24)
        record = KeyRecord(
            id=secrets.token_hex(4),
            name=name,
            prefix=key[:12],
            suffix=key[-4:],
            sha256=digest(key).hex(),
            created_at=int(time.time()),
            expires_at=expires_at,
        )
        with self._alone():
            self._write([*self.records(), record])
        return record, key

    def revoke(self, named: str) -> KeyRecord | None:
        """By its id, or a name that one active key has. Its record stays."""
        with self._alone():
            records = self.records()
            now_s = time.time()
            active = [one for one in records if one.status(now_s) == "active"]
            found = [one for one in active if one.id == named] or [
                one for one in active if one.name == named
            ]
            if len(found) != 1:
                return None
            found[0].revoked_at = int(now_s)
            self._write(records)
            return found[0]

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Holds off every other process and thread that reads, changes and writes the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.path.with_suffix(".lock"), timeout=_LOCK_S, mode=0o600):
                yield
        except Timeout:
            raise BadKeyFile(f"{self.path}: another process has been changing it") from None

    def _write(self, records: list[KeyRecord]) -> None:
        data = msgspec.json.format(msgspec.json.encode(records))
        write_whole(self.path, data, mode=0o600)


def digest(key: str | bytes) -> bytes:
    """A text's is that of its UTF-8."""
    return hashlib.sha256(key.encode() if isinstance(key, str) else key).digest()
