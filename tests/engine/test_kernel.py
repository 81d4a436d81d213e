"""Which attention kernel an engine takes, and that it says so."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from jan_engine import LLM, AttentionKernel, EngineOptions, KernelReason, KvMode, Model
from tests import architectures, models


def options(**changes: object) -> EngineOptions:
    fields: dict[str, object] = {"n_parallel": 4, "n_ctx": 256, "n_threads": 1, **changes}
    return EngineOptions(**fields)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def upstreams(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Computed by kernels of which either may be the better."""
    path = models.write_alphabet(tmp_path_factory.mktemp("kernel") / "alphabet.gguf")
    return Model(path, matrix_kernels=False)


@pytest.mark.usefixtures("own_kernels")
@pytest.mark.parametrize("n_parallel", [1, 4])
def test_ours_is_taken_untimed(alphabet: Model, n_parallel: int) -> None:
    with LLM(alphabet, options(n_parallel=n_parallel)) as llm:
        kernel = llm.attention_kernel
    assert (kernel.flash, kernel.reason, kernel.n_rounds) == (True, KernelReason.GIVEN, 0)


def test_both_are_timed_and_the_better_is_taken(
    upstreams: Model, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "jan_engine.kernel"), LLM(upstreams, options()) as llm:
        kernel = llm.attention_kernel
        assert llm.generate(["a"])[0].text.startswith("bcd")
    assert kernel.reason is KernelReason.TIMED
    assert not kernel.failure
    assert kernel.plain_s > 0
    assert kernel.flash_s > 0
    assert kernel.flash is (kernel.flash_s < 0.985 * kernel.plain_s)
    assert (kernel.n_lanes, kernel.depth) == (4, 64)
    assert kernel.n_rounds > 1
    assert ("attention: flash" if kernel.flash else "attention: plain") in caplog.text


def test_what_was_timed_is_remembered(
    upstreams: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JAN_CACHE_DIR", str(tmp_path / "of" / "mine"))

    def kernel_with(**changes: object) -> AttentionKernel:
        with LLM(upstreams, options(**changes)) as llm:
            assert llm.generate(["x"])[0].text == "yz"
            return llm.attention_kernel

    first = kernel_with()
    again = kernel_with()
    assert (first.reason, again.reason) == (KernelReason.TIMED, KernelReason.REMEMBERED)
    assert (again.flash, again.plain_s) == (first.flash, first.plain_s)
    assert again.flash_s == first.flash_s > 0
    assert kernel_with(n_parallel=3).reason is KernelReason.TIMED  # another engine
    assert kernel_with(calibrate_s=0).reason is KernelReason.UNTIMED
    (file,) = (tmp_path / "of" / "mine").iterdir()
    for damage in (b"", b"{", b'{"a": 1}', b"\xff"):
        file.write_bytes(damage)
        assert kernel_with().reason is KernelReason.TIMED
    file.unlink()
    file.mkdir()  # it can be neither read nor written
    assert kernel_with().reason is KernelReason.TIMED


@pytest.mark.parametrize("flash", [False, True])
def test_who_asks_for_one_gets_it(upstreams: Model, flash: bool) -> None:
    with LLM(upstreams, options(flash_attention=flash)) as llm:
        kernel = llm.attention_kernel
    assert (kernel.flash, kernel.reason, kernel.n_rounds) == (flash, KernelReason.GIVEN, 0)


def test_without_time_for_it_the_products_are_plain(upstreams: Model) -> None:
    with LLM(upstreams, options(calibrate_s=0)) as llm:
        kernel = llm.attention_kernel
    assert (kernel.flash, kernel.reason) == (False, KernelReason.UNTIMED)


def test_a_layout_that_one_kernel_is_made_for_is_not_timed(upstreams: Model) -> None:
    with LLM(upstreams, options(kv_mode=KvMode.UNIFIED)) as llm:
        kernel = llm.attention_kernel
    assert (kernel.flash, kernel.reason) == (None, KernelReason.GIVEN)


def test_a_model_without_attention_is_not_timed(tmp_path: Path) -> None:
    model = Model(architectures.write(tmp_path / "mamba.gguf", architectures.MAMBA))
    with LLM(model, options()) as llm:
        assert llm.attention_kernel.reason is KernelReason.GIVEN


@pytest.mark.parametrize(
    ("n_parallel", "n_ubatch", "n_timed"), [(40, 64, 32), (8, 8, 8), (1, 512, 1)]
)
def test_any_number_of_lanes_and_rows_is_timed(
    random_path: Path, n_parallel: int, n_ubatch: int, n_timed: int
) -> None:
    model = Model(random_path, matrix_kernels=False)
    with LLM(model, options(n_parallel=n_parallel, n_ubatch=n_ubatch)) as llm:
        kernel = llm.attention_kernel
        assert all(answer.tokens for answer in llm.generate(["abc"] * 41, max_tokens=4))
    assert (kernel.reason, kernel.n_lanes, kernel.failure) == (KernelReason.TIMED, n_timed, "")


@pytest.mark.parametrize("architecture", [architectures.GEMMA2, architectures.MIXTRAL])
def test_windows_and_experts_are_timed_too(
    tmp_path: Path, architecture: architectures.Architecture
) -> None:
    path = architectures.write(tmp_path / "model.gguf", architecture)
    model = Model(path, matrix_kernels=False)
    with LLM(model, options(n_ctx=1024)) as llm:
        kernel = llm.attention_kernel
        assert llm.generate([[5, 6, 7]], max_tokens=4)[0].finish.usage.n_generated > 0
    assert (kernel.reason, kernel.failure, kernel.depth) == (KernelReason.TIMED, "", 256)
