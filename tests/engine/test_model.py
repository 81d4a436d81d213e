"""Loading a model and looking at it."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import gguf as gguf_writer
import pytest

from jan_engine import (
    BadModelFile,
    Cancelled,
    InvalidRequest,
    Model,
    ModelNotFound,
    UnsupportedFeature,
)
from jan_engine.runner import GreedyRunner
from tests import architectures, models
from tests.gguf_bytes import header, pair, string


def test_facts_are_those_of_the_file(random_model: Model) -> None:
    facts = random_model.facts
    assert (facts.n_layer, facts.n_embd, facts.n_head, facts.n_head_kv) == (2, 64, 4, 2)
    assert facts.n_ctx_train == 1024
    assert facts.file_type == "all F32"
    assert facts.n_params == sum(
        int.__mul__(*(*t.shape, 1)[:2]) for t in random_model.header.tensors
    )
    assert facts.n_bytes == 4 * facts.n_params
    assert facts.has_decoder
    assert not facts.has_encoder


@pytest.mark.parametrize("number", [2**31, 2**70, -(2**31)])
def test_a_number_of_more_than_32_bits_is_refused_by_name(random_path: Path, number: int) -> None:
    with pytest.raises(InvalidRequest, match=f"^n_gpu_layers: {number} "):
        Model(random_path, n_gpu_layers=number)


def test_metadata_is_text(random_model: Model) -> None:
    assert random_model.metadata["general.architecture"] == "llama"
    assert random_model.metadata["llama.block_count"] == "2"


def test_no_chat_template_is_none(random_model: Model) -> None:
    assert random_model.chat_template() is None


def test_chat_templates_are_found_by_name(tmp_path: Path) -> None:
    path = models.write_random(
        tmp_path / "chat.gguf",
        extra={
            gguf_writer.Keys.Tokenizer.CHAT_TEMPLATE: "{{ messages }}",
            gguf_writer.Keys.Tokenizer.CHAT_TEMPLATE_N.format(name="tool_use"): "{{ tools }}",
        },
    )
    model = Model(path)
    assert model.chat_template() == "{{ messages }}"
    assert model.chat_template("tool_use") == "{{ tools }}"
    assert model.chat_template("other") is None


@pytest.mark.parametrize(("mmap", "repack"), [(True, True), (False, True), (True, False)])
def test_every_way_to_load_gives_the_same_model(
    random_path: Path, random_model: Model, mmap: bool, repack: bool
) -> None:
    prompt = random_model.tokenize("once")
    expected = list(GreedyRunner(random_model, n_ctx=128).generate(prompt, 16))
    model = Model(random_path, mmap=mmap, repack=repack)
    assert list(GreedyRunner(model, n_ctx=128).generate(prompt, 16)) == expected


def test_progress_is_told_on_the_callers_thread(random_path: Path) -> None:
    seen: list[float] = []
    threads: set[int] = set()

    def note(fraction: float) -> None:
        seen.append(fraction)
        threads.add(threading.get_ident())

    Model(random_path, on_progress=note)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert threads == {threading.get_ident()}


class StopLoadingError(Exception):
    pass


def test_raising_from_progress_cancels_the_load(random_path: Path) -> None:
    def stop(fraction: float) -> None:
        raise StopLoadingError

    with pytest.raises(StopLoadingError):
        Model(random_path, on_progress=stop)
    assert Model(random_path).facts.n_layer == 2


def test_a_cancelled_native_load_is_cancelled(random_path: Path) -> None:
    from jan_engine import _core, backend

    backend.load()
    progress = _core.Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        _core.Model(
            str(random_path).encode(),
            progress,
            mmap=True,
            mlock=False,
            check_tensors=False,
            vocab_only=False,
            repack=True,
            matrix_kernels=True,
            n_gpu_layers=0,
        )


def test_an_unknown_architecture_is_a_bad_model_file(tmp_path: Path) -> None:
    path = tmp_path / "odd.gguf"
    path.write_bytes(header([pair("general.architecture", 8, string("perceptron"))]))
    with pytest.raises(BadModelFile, match="perceptron") as caught:
        Model(path)
    assert caught.value.path == str(path)


def test_a_missing_file_is_model_not_found(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        Model(tmp_path / "no.gguf")


def test_nan_weights_are_found_when_asked(tmp_path: Path) -> None:
    path = models.write_random(tmp_path / "nan.gguf", poison="output_norm.weight")
    with pytest.raises(BadModelFile):
        Model(path, check_tensors=True)
    assert Model(path).facts.n_layer == 2


def test_a_vocabulary_alone_cannot_generate(random_path: Path) -> None:
    model = Model(random_path, vocab_only=True)
    assert model.tokenize("a")
    with pytest.raises(UnsupportedFeature):
        GreedyRunner(model, n_ctx=128)


def test_a_runner_outlives_the_name_of_its_model(random_path: Path) -> None:
    runner = GreedyRunner(Model(random_path), n_ctx=128)
    core = runner.core
    del runner
    gc.collect()
    core.feed([models.BOS])
    assert core.argmax() >= 0


def test_a_path_outside_ascii_loads(tmp_path: Path) -> None:
    path = tmp_path / "módël \N{GRINNING FACE}.gguf"
    assert Model(models.write_random(path)).facts.n_layer == 2


def test_a_model_in_two_real_parts_loads(tmp_path: Path) -> None:
    stem = models.write_random(tmp_path / "whole.gguf", n_parts=2)
    parts = sorted(tmp_path.glob("whole-*-of-*.gguf"))
    assert len(parts) > 1
    assert not stem.exists()
    whole = Model(models.write_random(tmp_path / "one.gguf"))
    model = Model(parts[0])
    prompt = model.tokenize("split")
    expected = list(GreedyRunner(whole, n_ctx=128).generate(prompt, 8))
    assert list(GreedyRunner(model, n_ctx=128).generate(prompt, 8)) == expected


def test_what_a_token_leaves_in_the_cache_is_counted_layer_by_layer(
    tmp_path: Path, random_model: Model
) -> None:
    assert random_model.n_cached_numbers == 2 * 2 * 2 * 16  # keys and values, layers, heads of 16
    jamba = Model(architectures.write(tmp_path / "jamba.gguf", architectures.JAMBA))
    one_layer = [t for t in jamba.header.tensors if t.name == "blk.1.attn_k.weight"]
    assert jamba.n_cached_numbers == 2 * one_layer[0].shape[1]  # the others keep a state instead
