"""Servers that many tests share. Each has a model whose answers are known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jan_server.config import Settings

from tests import models
from tests.server.running import Running, running


@pytest.fixture(scope="session")
def alphabet_server(alphabet_path: Path) -> Iterator[Running]:
    """Answers "a" with the rest of the alphabet."""
    with running(Settings(model=str(alphabet_path), parallel=4, ctx_size=512, threads=1)) as server:
        yield server


@pytest.fixture(scope="session")
def random_server(random_path: Path) -> Iterator[Running]:
    """Answers with noise, the same for the same seed."""
    with running(Settings(model=str(random_path), parallel=4, ctx_size=512, threads=1)) as server:
        yield server


@pytest.fixture(scope="session")
def endless_path(model_folder: Path) -> Path:
    (a,) = models.byte_tokens("a")
    return models.write_scripted(model_folder / "endless.gguf", {a: a})


@pytest.fixture
def endless_server(endless_path: Path) -> Iterator[Running]:
    """Answers "a" with a's for as long as anybody listens."""
    settings = Settings(
        model=str(endless_path), parallel=4, ctx_size=512, threads=1, context_shift=True, ping_s=0.2
    )
    with running(settings) as server:
        yield server
