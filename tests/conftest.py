"""What every test may ask for. Models are written once per run."""

from __future__ import annotations

from pathlib import Path

import pytest

from jan_engine import Model
from tests import models

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test finds what another, or the developer's own engines, timed."""
    monkeypatch.setenv("JAN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def alphabet_path(model_folder: Path) -> Path:
    return models.write_alphabet(model_folder / "alphabet.gguf")


@pytest.fixture(scope="session")
def random_path(model_folder: Path) -> Path:
    return models.write_random(model_folder / "random.gguf")


@pytest.fixture(scope="session")
def alphabet(alphabet_path: Path) -> Model:
    return Model(alphabet_path)


@pytest.fixture(scope="session")
def random_model(random_path: Path) -> Model:
    return Model(random_path)
