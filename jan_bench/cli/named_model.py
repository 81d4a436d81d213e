"""Models as people name them at a terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

__all__ = ["FindModel"]

# From a file, or the name of a model on this machine, to its file. Who starts `jan bench` knows the
# names; what is neither comes back as a path that is not there. May raise nothing.
FindModel = Callable[[str], Path]
