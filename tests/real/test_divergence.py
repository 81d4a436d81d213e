"""What computing costs in quality: the model's guesses against those of its weights in F32.

Our kernels and llama.cpp's both round activations to bytes. Which token a small model finds the
likeliest changes at near ties with either, so distributions are compared and not texts.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import gguf
import numpy as np
import pytest

from jan_bench.quality.figures import Divergence
from jan_bench.quality.reading import SAMPLE, Reading, Text, measure
from jan_bench.quality.sides import Settings, Side, settings_with
from tests.conftest import ROOT
from tests.real.conftest import IN_FULL

N_WINDOWS = 4 if IN_FULL else 2
NOISE = 1.05  # one standard error of a mean divergence is 2 to 4 % of it
PERPLEXITY = ROOT / "build/peers/bin/llama-perplexity"


@pytest.fixture(scope="module")
def reading(trained: Path, exact: Path) -> Reading:
    """The reference by upstream's kernels, then the model by ours and by upstream's."""
    text = Text(name="sample", bytes=SAMPLE.read_bytes().removesuffix(b"\n"))
    plain = Settings(n_windows=N_WINDOWS)
    upstreams = settings_with(plain, "kernels=llama.cpp", "with")
    sides = [Side(path=trained, settings=plain), Side(path=trained, settings=upstreams)]
    return measure(text, Side(path=exact, settings=upstreams), sides, _ignored)


def _ignored(*_: object) -> None:
    """How far it is."""


def divergences(reading: Reading) -> tuple[Divergence, Divergence]:
    _, ours, upstreams = (one.divergence for one in reading.figures)
    assert ours
    assert upstreams
    return ours, upstreams


def test_the_reference_has_exactly_the_values_of_the_model(trained: Path, exact: Path) -> None:
    numbers = {tensor.name: tensor for tensor in gguf.GGUFReader(exact).tensors}
    for tensor in gguf.GGUFReader(trained).tensors:
        if re.search(r"blk\.[0-7]\.|output_norm", tensor.name):
            wanted = gguf.dequantize(tensor.data, tensor.tensor_type).ravel()
            found = numbers[tensor.name]
            assert found.tensor_type.name == "F32"
            np.testing.assert_allclose(found.data.ravel(), wanted, rtol=1e-6, atol=1e-8)


def test_our_kernels_lose_no_more_than_upstreams(reading: Reading) -> None:
    ours, upstreams = divergences(reading)
    assert 0 < ours.kl.mean.value <= NOISE * upstreams.kl.mean.value
    assert ours.kl.percentiles["99"] <= 1.25 * upstreams.kl.percentiles["99"]


def test_as_often_the_same_token_is_the_likeliest(reading: Reading) -> None:
    ours, upstreams = divergences(reading)
    apart = upstreams.same_best.value - ours.same_best.value
    assert apart <= 2 * upstreams.same_best.error
    assert ours.same_best.value > 0.9


def test_perplexity_is_that_of_the_reference(reading: Reading) -> None:
    ours, _ = divergences(reading)
    assert abs(ours.ln_ppl_ratio.value) < 3 * ours.ln_ppl_ratio.error


@pytest.mark.real
@pytest.mark.unsanitized
def test_llama_perplexity_says_the_same(
    trained: Path, exact: Path, reading: Reading, tmp_path: Path
) -> None:
    if not PERPLEXITY.exists():
        pytest.skip("build/peers has no llama-perplexity: `make real` builds it")
    base = ["--kl-divergence-base", str(tmp_path / "base"), "-f", str(SAMPLE)]
    base += ["--chunks", str(N_WINDOWS)]

    def said(*arguments: str) -> str:
        done = subprocess.run([PERPLEXITY, *arguments, *base], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout + done.stderr

    def figure(text: str, pattern: str) -> float:
        found = re.search(pattern + r" *: *([\d.]+)", text)
        assert found, text[-2000:]
        return float(found[1])

    said("-m", str(exact))
    told = said("-m", str(trained), "--kl-divergence")
    ours, upstreams = divergences(reading)
    _, own_ppl, upstreams_ppl = (one.ppl.value for one in reading.figures)
    theirs = figure(told, r"Mean PPL\(Q\)")
    assert upstreams_ppl == pytest.approx(theirs, rel=2e-3)
    assert own_ppl == pytest.approx(theirs, rel=2e-2)
    kl = figure(told, "Mean +KLD")
    assert upstreams.kl.mean.value == pytest.approx(kl, rel=0.1)  # its processor's kernels differ
    assert ours.kl.mean.value <= NOISE * kl
