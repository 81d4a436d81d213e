"""Which kernels compute with which weights, as a pass was seen to have them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jan_engine import Model, UnsupportedFeature, quantize
from jan_engine.weight_kernels import Kernels, WeightUse, kernel_shares, weight_uses
from tests import architectures, models

with_ours = pytest.mark.usefixtures("own_kernels")
SHAPE = replace(models.TINY, n_embd=256, n_ff=512)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixed")
    models.write_random(folder / "f32.gguf", shape=SHAPE)
    quantize(folder / "f32.gguf", folder / "mixed.gguf", "Q4_K_M")
    return folder / "mixed.gguf"


def kernels(uses: Sequence[WeightUse], *, multiplied: bool) -> set[Kernels]:
    return {use.kernels for use in uses if use.is_multiplied == multiplied}


def test_every_weight_of_the_file_is_seen(mixed: Path) -> None:
    model = Model(mixed, n_gpu_layers=0)
    uses = weight_uses(model)
    stored = {tensor.name: tensor for tensor in model.header.tensors}
    assert {use.name for use in uses} == set(stored)
    assert all(use.n_bytes == stored[use.name].n_bytes for use in uses)
    assert all(use.type == stored[use.name].type for use in uses)
    by_name = {use.name: use for use in uses if use.is_multiplied}
    assert by_name["blk.0.ffn_down.weight"].operation == "MUL_MAT"
    assert "blk.0.attn_norm.weight" not in by_name
    assert "GET_ROWS" in {use.operation for use in uses if use.name == "token_embd.weight"}


@with_ours
def test_ours_serve_what_is_multiplied_unless_they_are_off(mixed: Path) -> None:
    ours = weight_uses(Model(mixed, n_gpu_layers=0))
    assert kernels(ours, multiplied=True) == {Kernels.OURS}
    assert kernels(ours, multiplied=False) == {Kernels.PLAIN}
    upstreams = weight_uses(Model(mixed, n_gpu_layers=0, matrix_kernels=False))
    assert Kernels.OURS not in kernels(upstreams, multiplied=True)
    plain = weight_uses(Model(mixed, n_gpu_layers=0, repack=False))
    assert kernels(plain, multiplied=True) == {Kernels.PLAIN}


@with_ours
def test_it_is_what_the_loader_placed(mixed: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="jan_engine.llama"):
        model = Model(mixed, n_gpu_layers=0)
    told = [record.getMessage() for record in caplog.records]
    placed = {line.split()[1] for line in told if "model buffer size" in line}
    assert {use.buffer for use in weight_uses(model)} == placed


@with_ours
def test_experts_are_products_too(tmp_path: Path) -> None:
    architectures.write(tmp_path / "f32.gguf", architectures.MIXTRAL)
    quantize(tmp_path / "f32.gguf", tmp_path / "q8_0.gguf", "Q8_0")
    uses = weight_uses(Model(tmp_path / "q8_0.gguf", n_gpu_layers=0))
    experts = [use for use in uses if use.operation == "MUL_MAT_ID"]
    assert experts
    assert {use.kernels for use in experts} == {Kernels.OURS}


def test_shares_are_of_all_bytes_the_largest_first(mixed: Path) -> None:
    uses = weight_uses(Model(mixed))
    shares = kernel_shares(uses)
    assert sum(one.n_weights for one in shares) == len(uses)
    assert sum(one.share for one in shares) == pytest.approx(1)
    assert shares == sorted(shares, key=lambda one: -one.n_bytes)


def test_a_vocabulary_has_no_weights(alphabet_path: Path) -> None:
    with pytest.raises(UnsupportedFeature):
        weight_uses(Model(alphabet_path, vocab_only=True))
