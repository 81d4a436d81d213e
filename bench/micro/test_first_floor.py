"""What the engine's first floor costs. All informational: nothing here may fail a build."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from bench.models import VOCABULARIES, model_path
from jan_engine import GreedyRunner, Model, gguf

pytestmark = pytest.mark.informational
QWEN2 = VOCABULARIES / "ggml-vocab-qwen2.gguf"
TEXT = "The quick brown fox jumps over the lazy dog. 0123456789 \N{GRINNING FACE}\n" * 150


class Benchmark(Protocol):
    """What pytest-benchmark's fixture does, which it does not type itself."""

    def __call__(self, function: Callable[..., Any], *args: object) -> object: ...
    def pedantic(
        self,
        target: Callable[..., Any],
        args: tuple[object, ...] = (),
        *,
        rounds: int,
        warmup_rounds: int,
    ) -> object: ...


@pytest.fixture(scope="module")
def nano() -> Path:
    return model_path("nano", "Q4_K_M")


def start_python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def test_start_of_python_alone(benchmark: Benchmark) -> None:
    benchmark.pedantic(start_python, args=("pass",), rounds=15, warmup_rounds=2)


def test_import_of_the_engine(benchmark: Benchmark) -> None:
    """Subtract the benchmark above: what is left is `import jan_engine`."""
    benchmark.pedantic(start_python, args=("import jan_engine",), rounds=15, warmup_rounds=2)


def test_check_of_a_header_with_150_000_tokens(benchmark: Benchmark) -> None:
    benchmark(gguf.read_header, QWEN2)


def test_tokenise_10_kb(benchmark: Benchmark) -> None:
    model = Model(QWEN2, vocab_only=True)
    assert benchmark(model.tokenize, TEXT)


def test_load_of_a_small_model(benchmark: Benchmark, nano: Path) -> None:
    benchmark.pedantic(Model, args=(nano,), rounds=10, warmup_rounds=1)


def test_greedy_step_of_a_small_model(benchmark: Benchmark, nano: Path) -> None:
    runner = GreedyRunner(Model(nano), n_ctx=4096)
    runner.core.feed([1])

    def step() -> None:
        runner.core.feed([runner.core.argmax()])

    benchmark.pedantic(step, rounds=500, warmup_rounds=20)
