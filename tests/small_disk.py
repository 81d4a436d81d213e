"""A disk that fills up, or that nobody may write to: a tmpfs of a few megabytes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    def __init__(self, root: Path) -> None:
        self.root = root

    def fill(self) -> None:
        """To the last byte. `empty` takes it back."""
        with (self.root / "filler").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def empty(self) -> None:
        (self.root / "filler").unlink()

    def set_writable(self, is_writable: bool) -> None:
        how = "rw" if is_writable else "ro"
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.root)], check=True)

    @property
    def free(self) -> int:
        return shutil.disk_usage(self.root).free


@contextmanager
def small_disk(root: Path, n_mb: int) -> Generator[SmallDisk]:
    """Skips the test where mounting is not allowed."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small disk: only root may mount one")
    root.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={n_mb}m", "tmpfs", str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small disk: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(root)
    finally:
        subprocess.run(["umount", "-l", str(root)], check=True)
