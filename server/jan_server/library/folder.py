"""The folder of models that are ours, kept consistent whatever moment the process ends at.

    files/KEY/        whole models; appear by rename, with a record of what they are
    partial/KEY/      being fetched; the same source comes back to the same KEY
    trash/KEY/        on their way out

KEY is made here, from a hash: no name that came from elsewhere is ever a path.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from jan_engine.whole_file import sync_folder
from jan_server.ids import new_id
from jan_server.library.records import StoredModel

__all__ = ["ModelsFolder"]

_RECORD = "model.json"
_FORGOTTEN_S = 14 * 24 * 3600.0


class ModelsFolder:
    """Any thread, and any number of processes: each change of what is listed is one rename."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files, self._partial, self._trash = (
            root / name for name in ("files", "partial", "trash")
        )
        with suppress(OSError):  # what is there can be read all the same
            self.make()

    def make(self) -> None:
        """Raises OSError where the disk is full or cannot be written."""
        for folder in (self._files, self._partial, self._trash):
            folder.mkdir(parents=True, exist_ok=True)

    def partial(self, source: str) -> Path:
        """Where the files of that source are fetched to. What an earlier try left is there."""
        folder = self._partial / hashlib.sha256(source.encode()).hexdigest()[:32]
        folder.mkdir(exist_ok=True)
        os.utime(folder)  # not forgotten
        return folder

    @contextmanager
    def fetching(self, source: str) -> Generator[bool]:
        """False at once where another process fetches it."""
        lock = FileLock(self.partial(source).with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def publish(self, partial: Path, model: StoredModel) -> StoredModel:
        """Move a model whose files were checked to where it is found. Its paths become final.

        Until the rename nothing of it is listed; from then on it is whole, also where the process
        ends before there is a row: `unlisted` finds it.
        """
        key = new_id("m_")
        target = self._files / key
        files = [
            msgspec.structs.replace(file, path=f"files/{key}/{Path(file.path).name}")
            for file in model.files
        ]
        model = msgspec.structs.replace(model, files=files)
        kept = {Path(file.path).name for file in files}
        for left in partial.iterdir():
            if left.name not in kept:
                left.unlink()  # what only mattered on the way
        with (partial / _RECORD).open("wb") as record:
            record.write(msgspec.json.encode(model))
            record.flush()
            os.fsync(record.fileno())
        partial.rename(target)
        sync_folder(self._files)
        return model

    def discard(self, model: StoredModel) -> None:
        """Out of sight at once; the row goes next, then `empty_trash` frees the space."""
        folder = self.root / Path(model.files[0].path).parent
        if folder.parent == self._files and folder.exists():
            folder.rename(self._trash / folder.name)

    def empty_trash(self) -> None:
        for folder in _inside(self._trash):
            shutil.rmtree(folder, ignore_errors=True)

    def unlisted(self, listed: set[str]) -> list[StoredModel]:
        """Whole models below `files` without a row. `listed`: paths of files that have one."""
        found: list[StoredModel] = []
        for record in self._files.glob(f"*/{_RECORD}"):
            try:
                model = msgspec.json.decode(record.read_bytes(), type=StoredModel)
            except (OSError, msgspec.DecodeError):
                continue
            if model.files[0].path not in listed and model.is_here(self.root):
                found.append(model)
        return found

    def drop_forgotten(self) -> None:
        """What nobody went on fetching for two weeks."""
        for folder in _inside(self._partial):
            if folder.is_dir() and time.time() - folder.stat().st_mtime > _FORGOTTEN_S:
                shutil.rmtree(folder, ignore_errors=True)


def _inside(folder: Path) -> list[Path]:
    """Nothing where it was never made."""
    return list(folder.iterdir()) if folder.is_dir() else []
