"""Files that pass every check of their header and cannot be computed with.

Each of them once ended the process in its first forward pass.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from jan_engine import BadModelFile, GreedyRunner, Model, _core, gguf
from tests import models

TYPES = {name: number for number, name, _n_block, _block_bytes in _core.list_tensor_types()}
TENSORS = [name for name, _dims in models.TINY.tensors(258)]


def with_type(content: bytes, tensor: str, type_name: str) -> bytes:
    """The file with another element type in one tensor's entry."""
    raw = struct.pack("<Q", len(tensor)) + tensor.encode()
    place = content.index(raw) + len(raw)
    (n_dims,) = struct.unpack_from("<I", content, place)
    place += 4 + 8 * n_dims
    return content[:place] + struct.pack("<I", TYPES[type_name]) + content[place + 4 :]


def with_number(content: bytes, key: str, number: float) -> bytes:
    """The file with another value of a key that holds a 32-bit float."""
    place = content.index(key.encode()) + len(key) + 4
    return content[:place] + struct.pack("<f", number) + content[place + 4 :]


@pytest.mark.parametrize("tensor", TENSORS)
def test_integers_of_the_same_size_are_no_weights(
    tmp_path: Path, random_path: Path, tensor: str
) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(with_type(random_path.read_bytes(), tensor, "i32"))
    with pytest.raises(BadModelFile, match="no weights are stored as i32") as caught:
        Model(path)
    assert caught.value.field == tensor


@pytest.mark.parametrize("type_name", ["f64", "i8", "i16", "i32", "i64", "q8_1", "q8_K"])
def test_types_without_a_product_are_no_weights(
    tmp_path: Path, random_path: Path, type_name: str
) -> None:
    path = tmp_path / "m.gguf"
    last = gguf.read_header(random_path).tensors[-1].name  # room for any type that is smaller
    path.write_bytes(with_type(random_path.read_bytes(), last, type_name) + bytes(2**17))
    with pytest.raises(BadModelFile):
        Model(path)


@pytest.mark.parametrize("type_name", ["f16", "bf16", "q8_0", "q4_0", "iq4_nl", "mxfp4"])
def test_types_with_a_product_are_weights(
    tmp_path: Path, random_path: Path, type_name: str
) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(with_type(random_path.read_bytes(), "output.weight", type_name))
    assert GreedyRunner(Model(path), n_ctx=64).core.n_past == 0


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("epsilon", [-1.0, float("-inf"), float("nan")])
def test_a_norm_that_cannot_be_computed_is_a_bad_file(
    tmp_path: Path, random_path: Path, random_model: Model, epsilon: float, n_threads: int
) -> None:
    path = tmp_path / "m.gguf"
    key = "llama.attention.layer_norm_rms_epsilon"
    path.write_bytes(with_number(random_path.read_bytes(), key, epsilon))
    model = Model(path)
    with pytest.raises(BadModelFile, match=r"a check inside llama\.cpp failed") as caught:
        GreedyRunner(model, n_ctx=64, n_threads=n_threads)
    assert caught.value.path == str(path)
    assert list(GreedyRunner(random_model, n_ctx=64).generate([models.BOS], 2))


def test_a_norm_of_halves_is_a_bad_file(tmp_path: Path) -> None:
    # The last tensor of a model whose output head is the embedding table is a norm.
    path = models.write_random(tmp_path / "m.gguf", shape=replace(models.TINY, tied_output=True))
    path.write_bytes(with_type(path.read_bytes(), "output_norm.weight", "f16"))
    model = Model(path)
    with pytest.raises(BadModelFile, match="unsupported types"):
        GreedyRunner(model, n_ctx=64)


def test_an_architecture_without_its_rope_sections_is_a_bad_file(tmp_path: Path) -> None:
    shape = replace(models.TINY, architecture="paddleocr")
    model = Model(models.write_random(tmp_path / "m.gguf", shape=shape))
    with pytest.raises(BadModelFile, match="sections"):
        GreedyRunner(model, n_ctx=64)


def test_trying_a_model_out_leaves_nothing_behind(random_path: Path) -> None:
    model = Model(random_path)
    prompt = model.tokenize("once")
    tried_out, not_again = (GreedyRunner(model, n_ctx=64, n_threads=1) for _ in range(2))
    assert tried_out.core.n_past == 0
    assert list(tried_out.generate(prompt, 8)) == list(not_again.generate(prompt, 8))
