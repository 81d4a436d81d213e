"""Where results go: stdout, or a file that is there whole or not at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jan_engine.errors import WriteFailed
from jan_engine.whole_file import write_whole

__all__ = ["require_place", "write_out"]


def require_place(path: Path) -> None:
    """Raises WriteFailed where a file could not be written: better now than after hours."""
    if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        failed = WriteFailed(f"cannot write {path}")
        failed.path = str(path)
        raise failed


def write_out(text: str, path: Path | None) -> None:
    """To stdout where there is no path. Raises WriteFailed; an earlier file is then as it was."""
    if path is None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            raise  # nobody wants it
        except OSError as error:
            raise WriteFailed(f"cannot write the results: {error.strerror}") from error
        return
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            path.write_text(text, encoding="utf-8")  # what /dev/null is must not become a file
            return
        write_whole(path, text.encode())
    except OSError as error:
        failed = WriteFailed(f"cannot write {path}: {error.strerror or error}")
        failed.path = str(path)
        raise failed from error
