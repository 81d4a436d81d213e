"""Damaged and contradictory files all the way through the native loader.

Each is a clean error or a model that works; the process lives on. The same corpus runs under
AddressSanitizer with `make asan`.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jan_engine import EngineError, GreedyRunner, Model, ModelError, gguf
from tests import models

FUZZ = settings(
    max_examples=int(os.environ.get("JAN_FUZZ_EXAMPLES", "400")),
    deadline=None,
    derandomize="JAN_FUZZ_EXAMPLES" not in os.environ,  # the same files every time, unless asked
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
INTERESTING = [0, 1, 2, 0x7F, 0x80, 0xFF, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1]


@pytest.fixture(scope="module")
def seed_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return models.write_random(tmp_path_factory.mktemp("seed") / "m.gguf").read_bytes()


@pytest.fixture(scope="module")
def header_size(tmp_path_factory: pytest.TempPathFactory, seed_file: bytes) -> int:
    path = tmp_path_factory.mktemp("size") / "m.gguf"
    path.write_bytes(seed_file)
    return gguf.read_header(path).data_offset


def survives(path: Path) -> None:
    """Load it and use it a little. EngineError is the one acceptable failure."""
    try:
        model = Model(path)
        model.detokenize(model.tokenize("ab\ncd \N{SNOWMAN}"))
        runner = GreedyRunner(model, n_ctx=64, n_threads=1)
        list(runner.generate(model.tokenize("ab"), 2))
    except ModelError as error:
        complaint = error.path or error.message
    except EngineError as error:
        complaint = error.message
    else:
        return
    assert complaint


@FUZZ
@given(data=st.data())
def test_bytes_changed_anywhere_in_the_header(
    tmp_path: Path, seed_file: bytes, header_size: int, data: st.DataObject
) -> None:
    content = bytearray(seed_file)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, header_size - 1))
        content[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "mutated.gguf"
    path.write_bytes(content)
    survives(path)


@FUZZ
@given(data=st.data())
def test_numbers_replaced_in_the_header(
    tmp_path: Path, seed_file: bytes, header_size: int, data: st.DataObject
) -> None:
    content = bytearray(seed_file)
    at = data.draw(st.integers(4, header_size - 8))
    value = data.draw(st.sampled_from(INTERESTING))
    content[at : at + 4] = struct.pack("<I", value)
    path = tmp_path / "mutated.gguf"
    path.write_bytes(content)
    survives(path)


@FUZZ
@given(cut=st.data())
def test_pieces_removed_or_doubled(
    tmp_path: Path, seed_file: bytes, header_size: int, cut: st.DataObject
) -> None:
    start = cut.draw(st.integers(0, header_size - 1))
    length = cut.draw(st.integers(1, 64))
    piece = seed_file[start : start + length]
    middle = piece + piece if cut.draw(st.booleans()) else b""
    path = tmp_path / "mutated.gguf"
    path.write_bytes(seed_file[:start] + middle + seed_file[start + length :])
    survives(path)


SCALAR_KEYS = [
    "llama.block_count",
    "llama.context_length",
    "llama.embedding_length",
    "llama.feed_forward_length",
    "llama.attention.head_count",
    "llama.attention.head_count_kv",
    "llama.rope.dimension_count",
    "llama.vocab_size",
    "general.file_type",
    "tokenizer.ggml.bos_token_id",
    "tokenizer.ggml.eos_token_id",
]


@FUZZ
@given(
    key=st.sampled_from(SCALAR_KEYS), value=st.integers(0, 2**32 - 1) | st.sampled_from(INTERESTING)
)
@example(key="llama.block_count", value=513)
@example(key="llama.attention.head_count", value=0)
@example(key="llama.attention.head_count_kv", value=0)
@example(key="llama.context_length", value=0)
def test_a_plausible_header_that_contradicts_its_tensors(
    tmp_path: Path, seed_file: bytes, key: str, value: int
) -> None:
    place = seed_file.index(key.encode()) + len(key)
    content = seed_file[: place + 4] + struct.pack("<I", value) + seed_file[place + 8 :]
    path = tmp_path / "mutated.gguf"
    path.write_bytes(content)
    survives(path)


def test_a_check_that_upstream_would_abort_on_is_a_clean_error(
    tmp_path: Path, seed_file: bytes
) -> None:
    key = b"llama.block_count"
    place = seed_file.index(key) + len(key)
    path = tmp_path / "deep.gguf"
    path.write_bytes(seed_file[: place + 4] + struct.pack("<I", 100_000) + seed_file[place + 8 :])
    with pytest.raises(ModelError) as caught:
        Model(path)
    assert caught.value.path == str(path)
