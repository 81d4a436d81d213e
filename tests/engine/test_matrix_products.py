"""Products of every type that our matrix kernels take, of any shape, against double precision.

A program of tests/csrc computes; upstream's kernels have the same weights and activations.
For a longer run: JAN_FUZZ_EXAMPLES=2000 python -m pytest tests/engine/test_matrix_products.py
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jan_engine import backends
from jan_engine.backend import Status
from tests.conftest import ROOT

pytestmark = pytest.mark.unsanitized

TYPES = {  # name -> weights of a block
    **dict.fromkeys(("q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "iq4_nl", "f16", "bf16"), 32),
    **dict.fromkeys(("iq4_xs", "q4_K", "q5_K", "q6_K"), 256),
}
N_COLUMNS = 65
NO_KERNELS = 77
SINGLE = 5e-7  # what sums in single precision may be wrong by, whoever adds them
ALIKE = 1.1

quick = settings(
    max_examples=int(os.environ.get("JAN_FUZZ_EXAMPLES", "100")) // 20,
    deadline=None,
    derandomize="JAN_FUZZ_EXAMPLES" not in os.environ,  # the same shapes every time, unless asked
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Products:
    """The program, asked one case after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def errors(self, *case: object) -> list[tuple[float, float]]:
        """Ours and upstream's by number of columns, from one."""
        assert self.process.stdin
        assert self.process.stdout
        print(
            *(int(part) if isinstance(part, bool) else part for part in case),
            file=self.process.stdin,
            flush=True,
        )
        told = [float(text) for text in self.process.stdout.readline().split()]
        assert len(told) == 2 * N_COLUMNS, self.process.poll()
        return list(zip(told[::2], told[1::2], strict=True))[::-1]


@pytest.fixture(scope="module")
def products() -> Iterator[Products]:
    cpu = next(b for b in backends() if b.status is Status.LOADED and b.instructions)
    folder = ROOT / os.environ.get("JAN_BUILD", "build/dev") / "tests/csrc"
    with subprocess.Popen(
        [str(folder / "check_products"), str(Path(cpu.path).parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={},
    ) as process:
        assert process.stdout
        if process.stdout.readline() != "ready\n" and process.wait() == NO_KERNELS:
            pytest.skip("this processor has no matrix kernels of ours")
        yield Products(process)
        assert process.stdin
        process.stdin.close()
        assert process.wait(timeout=10) == 0


def check(found: list[tuple[float, float]]) -> None:
    worse = {
        n: (ours, upstreams)
        for n, (ours, upstreams) in enumerate(found, 1)
        if not ours <= max(SINGLE, ALIKE * upstreams)
    }
    assert not worse


class Case(NamedTuple):
    n_rows: int
    any_bits: bool
    seed: int
    n_threads: int


cases = st.builds(
    Case,
    n_rows=st.integers(2, 100),
    any_bits=st.booleans(),
    seed=st.integers(0, 2**31),
    n_threads=st.integers(1, 4),
)


@pytest.mark.parametrize("name", TYPES)
@given(data=st.data(), case=cases)
@quick
def test_a_product_is_as_near_to_the_exact_one_as_upstreams(
    products: Products, name: str, data: st.DataObject, case: Case
) -> None:
    block = TYPES[name]
    width = block * data.draw(st.integers(1, 1024 // block), label="blocks")
    n_rows, *others = case
    check(products.errors(name, width, n_rows, 0, 0, False, *others))


@pytest.mark.parametrize("name", TYPES)
@given(data=st.data(), case=cases)
@quick
def test_a_product_by_experts_is_too(
    products: Products, name: str, data: st.DataObject, case: Case
) -> None:
    block = TYPES[name]
    width = block * data.draw(st.integers(1, 512 // block), label="blocks")
    n_experts = data.draw(st.integers(2, 9), label="experts")
    n_used = data.draw(st.integers(1, n_experts), label="used")
    of_each = data.draw(st.booleans(), label="an input of each")
    n_rows, *others = case
    check(products.errors(name, width, n_rows, n_experts, n_used, of_each, *others))
