"""Writes files that appear whole or not at all: under another name first, then by one rename."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["sync_folder", "whole_file", "write_whole"]


@contextmanager
def whole_file(path: Path, *, mode: int = 0o644, durable: bool = True) -> Generator[Path]:
    """Yields the path of an empty file in the same folder, which replaces `path` at the end.

    After an exception `path` is as it was and the other file is gone. `mode`: the permissions of
    the file. `durable`: the file outlasts a loss of power from the return on; without it the file
    may then be empty, which only a cache can bear. Raises OSError.
    """
    handle, name = tempfile.mkstemp(".partial", path.name + ".", path.parent)  # for its owner only
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        if durable:
            _sync_file(partial)
        partial.chmod(mode)
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def write_whole(path: Path, data: bytes, *, mode: int = 0o644, durable: bool = True) -> None:
    """Writes `data` as `path`. See whole_file."""
    with whole_file(path, mode=mode, durable=durable) as partial:
        partial.write_bytes(data)


def sync_folder(folder: Path) -> None:
    """Makes a rename in that folder outlast a loss of power."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_file(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())
