"""Our matrix kernels as a model's option: where the weights lie, and what they say."""

from __future__ import annotations

import logging
import math
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from jan_engine import LLM, EngineOptions, Model, Request, quantize
from tests import architectures, models

pytestmark = pytest.mark.usefixtures("own_kernels")

SHAPE = replace(models.TINY, n_embd=256, n_ff=512)


@pytest.fixture(scope="module", params=["Q4_K_M", "Q8_0", "experts"])
def quantised(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("matrix")
    source, type_name = folder / "f32.gguf", request.param
    if type_name == "experts":
        architectures.write(source, architectures.MIXTRAL)
        type_name = "Q8_0"
    else:
        models.write_random(source, shape=SHAPE)
    quantize(source, folder / "quantised.gguf", type_name)
    return folder / "quantised.gguf"


def buffers(
    path: Path,
    caplog: pytest.LogCaptureFixture,
    *,
    matrix_kernels: bool = True,
    repack: bool = True,
) -> set[str]:
    with caplog.at_level(logging.DEBUG, logger="jan_engine.llama"):
        caplog.clear()
        Model(path, matrix_kernels=matrix_kernels, repack=repack)
    lines = [record.getMessage() for record in caplog.records]
    return {line.split()[1] for line in lines if "model buffer size" in line}


def test_the_option_decides_where_weights_lie(
    quantised: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert "CPU_JAN" in buffers(quantised, caplog)
    assert "CPU_JAN" not in buffers(quantised, caplog, matrix_kernels=False)
    assert "CPU_JAN" not in buffers(quantised, caplog, repack=False)
    assert "CPU_JAN" in buffers(quantised, caplog)  # the choice was for that load alone


def scores(path: Path, *, matrix_kernels: bool = True, mmap: bool = True) -> list[float]:
    options = EngineOptions(n_parallel=2, n_ctx=256, n_threads=2, flash_attention=True)
    with LLM(Model(path, matrix_kernels=matrix_kernels, mmap=mmap), options) as llm:
        text = [models.byte_token(i * 37 % 256) for i in range(120)]
        (answer,) = llm.generate([Request(prompt=text, prompt_logprobs=0, max_tokens=1)])
    assert answer.prompt_logprobs is not None
    return [found[0].logprob for found in answer.prompt_logprobs if found is not None]


def distance(one: list[float], other: list[float]) -> float:
    return math.sqrt(statistics.fmean((a - b) ** 2 for a, b in zip(one, other, strict=True)))


def test_they_are_as_near_to_exact_products_as_upstreams(quantised: Path, tmp_path: Path) -> None:
    """Both round activations to bytes; the same weights in single precision round nothing."""
    quantize(quantised, tmp_path / "exact.gguf", "F32", requantize=True)
    exact = scores(tmp_path / "exact.gguf")
    ours = scores(quantised)
    upstreams = scores(quantised, matrix_kernels=False)
    assert 0 < distance(ours, exact) < 1.2 * distance(upstreams, exact)
    assert distance(ours, upstreams) < distance(upstreams, exact)


def test_the_file_is_read_either_way(quantised: Path) -> None:
    assert scores(quantised, mmap=False) == scores(quantised)
