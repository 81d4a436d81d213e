"""A low-rank adapter (LoRA): what is added to a model for the requests that ask for it."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from jan_engine import _core, gguf, log
from jan_engine.errors import ModelError
from jan_engine.model import Model
from jan_engine.native_call import watched

__all__ = ["MAX_SCALE", "Adapter"]

MAX_SCALE = 1e3


class Adapter:
    """An adapter in memory, for one model. Freed with its last reference and its last request."""

    def __init__(self, model: Model, path: str | Path) -> None:
        """Check the file, load it and try it out. Raises what loading a model raises.

        The model's requests go on, but for the moment in which llama.cpp reads the file.
        """
        self.model = model
        self.path = Path(path)
        self.header = gguf.check_adapter(self.path)
        load = partial(_core.Adapter, model.core, os.fsencode(self.path))
        try:
            self.core = watched(lambda _: load(), None, "jan-adapter")
        except ModelError as error:
            error.path = str(self.path)
            raise
        finally:
            log.forward()

    @property
    def name(self) -> str:
        """What the file calls itself, or else its own name."""
        said = self.header.metadata.get("general.name")
        return said if isinstance(said, str) and said else self.path.stem

    @property
    def n_bytes(self) -> int:
        return sum(tensor.n_bytes for tensor in self.header.tensors)
