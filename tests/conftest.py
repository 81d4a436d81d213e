"""What every test may ask for. Models are written once per run."""

from __future__ import annotations

from pathlib import Path

import pytest

from jan_engine import Model, backends, devices
from jan_engine.backend import Status
from jan_engine.cpu_variant import FOUND
from tests import models

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def tried_variants(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What the cache folder says of CPU variants once one of them was tried."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAN_CACHE_DIR", str(tmp_path_factory.mktemp("variants")))
        devices()
        return FOUND.path().read_bytes()


@pytest.fixture(autouse=True)
def forgetful(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    tried_variants: bytes,
) -> None:
    """No test finds what another, or the developer's own engines, timed. Only the CPU variant is
    not tried anew by each process that a test starts.
    """
    monkeypatch.setenv("JAN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    FOUND.path().write_bytes(tried_variants)


@pytest.fixture(scope="session")
def own_kernels(tried_variants: bytes) -> None:
    """Skips a test of our matrix and attention kernels where the CPU variant in use has none."""
    (variant,) = [one for one in backends() if one.status is Status.LOADED and one.instructions]
    if "AVX2" not in variant.instructions:
        pytest.skip(f"{variant.name} has no AVX2, which our kernels on x86 are written for")


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
