"""Models that others trained, once per run; what is not there is skipped by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jan_engine import quantize
from tests.real.weights import KNOWN, path_of

IN_FULL = "JAN_REAL" in os.environ  # `make real`


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("real") and not IN_FULL:
            item.add_marker(pytest.mark.skip(reason="takes long: `make real` runs it"))


def _found(name: str) -> Path:
    path = path_of(name)
    if not path.exists():
        pytest.skip(f"{name} is not in build/real: `make real` has pip fetch it")
    return path


@pytest.fixture(scope="session")
def smollm2() -> Path:
    return _found("smollm2")


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(name, marks=() if name == "smollm2" else pytest.mark.real) for name in KNOWN
    ],
)
def trained(request: pytest.FixtureRequest) -> Path:
    """Each of them, as it came: quantised."""
    return _found(str(request.param))


@pytest.fixture(scope="session")
def exact(trained: Path) -> Path:
    """The very same weights in single precision, which rounds nothing."""
    path = trained.with_suffix(".F32.gguf")
    if not path.exists():
        quantize(trained, path, "F32", requantize=True)
    return path
