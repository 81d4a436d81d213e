"""What a model takes in memory, whichever files its weights lie in."""

from __future__ import annotations

from pathlib import Path

import pytest

from jan_engine import Model
from jan_engine.gguf import Header, Tensor, check_model
from jan_engine.memory_needs import cached_numbers, needed_bytes
from tests import models

N_CTX, N_PARALLEL = 512, 4


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("parts")
    models.write_random(folder / "split.gguf", n_parts=3)
    return sorted(folder.glob("split-*.gguf"))


def test_every_part_of_a_split_model_counts(parts: list[Path], random_path: Path) -> None:
    split, whole = check_model(parts[0]), check_model(random_path)
    assert len(split) == 3
    assert cached_numbers(split) == cached_numbers(whole) == 2 * 2 * 2 * 16
    needed = [
        needed_bytes(one, n_ctx=N_CTX, n_parallel=N_PARALLEL, cache_type="f16")
        for one in (split, whole)
    ]
    assert needed[0] == needed[1]
    assert Model(parts[0]).n_cached_numbers == Model(random_path).n_cached_numbers


def test_the_cache_is_as_large_as_the_engine_makes_it(random_path: Path) -> None:
    headers = check_model(random_path)

    def needed(**changed: int | str) -> int:
        asked = {"n_ctx": N_CTX, "n_parallel": 0, "cache_type": "f16", **changed}
        return needed_bytes(headers, **asked)  # type: ignore[arg-type]

    nothing = needed()
    per_token = 128 * 2  # bytes
    assert needed(n_parallel=4) - nothing == 4 * N_CTX * per_token
    assert needed(n_parallel=1, n_ctx=100) - nothing == 256 * per_token  # upstream's granularity
    assert needed(n_parallel=1, n_ctx=0) - nothing == 1024 * per_token  # as it was trained
    assert needed(n_parallel=1, n_ctx=9999) - nothing == 1024 * per_token
    assert needed(n_parallel=4, n_cells=768) - nothing == 768 * per_token
    assert needed(n_parallel=4, cache_type="q8_0") - nothing == 4 * N_CTX * per_token * 17 // 32


def test_where_one_matrix_makes_keys_and_values_the_metadata_say() -> None:
    fused = Tensor(
        name="blk.0.attn_qkv.weight", shape=(64, 96), type="f16", offset=0, n_bytes=64 * 96 * 2
    )
    said = {
        "block_count": 3,
        "attention.head_count": 4,
        "attention.head_count_kv": 1,
        "embedding_length": 64,
        "attention.value_length": 8,
    }
    metadata = {f"phi3.{name}": value for name, value in said.items()}
    header = Header(
        path="a.gguf",
        version=3,
        metadata={"general.architecture": "phi3", **metadata},
        tensors=[fused],
        data_offset=0,
    )
    assert cached_numbers([header]) == 3 * 1 * (16 + 8)
