"""What models are said to take, and what the budget of a server counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from jan_server.config import Settings

from bench.shapes import Shape
from tests import models
from tests.server.running import Running, running
from tests.server.several import ask, pool_of, wait_for

MB = 1024 * 1024
LARGE = Shape(
    architecture="llama", n_layer=6, n_embd=512, n_head=8, n_head_kv=8, n_ff=1024, n_ctx=1024
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of about 62 MB, in six parts."""
    folder = tmp_path_factory.mktemp("large")
    models.write_random(folder / "large.gguf", shape=LARGE, n_parts=6)
    return folder


def memory_bytes(server: Running, name: str) -> int:
    return int(server.get(f"/v1/models/{name}").json()["metadata"]["memory_bytes"])


def test_every_part_of_a_split_model_is_in_the_budget(folder: Path, tmp_path: Path) -> None:
    parts = sorted(path.stat().st_size for path in folder.glob("*.gguf"))
    assert len(parts) > 3
    budget = 100  # MB: enough for the largest part and what a pass takes, and not for all of them
    assert parts[-1] + 64 * MB < budget * MB < sum(parts) + 64 * MB
    with pool_of(folder, tmp_path / "a", models_memory_mb=budget) as server:
        answer = ask(server, "large", max_tokens=1)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "out_of_memory")
    with pool_of(folder, tmp_path / "b", models_memory_mb=200) as server:
        assert ask(server, "large", max_tokens=1).status_code == 200
        assert memory_bytes(server, "large") > sum(parts)


def test_memory_of_a_loaded_model_has_its_cache_in_it(alphabet_path: Path) -> None:
    def told(parallel: int) -> int:
        settings = Settings(
            model=str(alphabet_path), threads=1, parallel=parallel, ctx_size=512, ui=False
        )
        with running(settings) as server:
            return memory_bytes(server, "alphabet")

    one, four = told(1), told(4)
    numbers = 2 * 288  # keys and values of one layer as wide as the vocabulary, a multiple of 32
    assert four - one == 3 * 512 * numbers * 2
    assert one > alphabet_path.stat().st_size


def test_a_model_that_failed_to_load_is_not_ready(tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"GGUF and nothing else")
    with running(Settings(model=str(path), threads=1), wait=False) as server:
        wait_for(lambda: server.pool.failure is not None, "it never failed")
        assert server.pool.only is not None
        assert server.pool.only.state == "failed"
        assert server.get("/readyz").status_code == 503
