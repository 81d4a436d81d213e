"""AMX's tiles get the shapes that upstream writes down, whatever the compiler makes of it.

Runs on any x86-64 processor: in place of the instruction that loads the shapes, the compiled code
copies the 64 bytes that it would load.
"""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="AMX is of x86-64"
)

HEADER = ROOT / "vendor/llama.cpp/tile_configuration.h"
UPSTREAM = ROOT / "vendor/llama.cpp/tree/ggml/src/ggml-cpu/amx"
# Registers are put back, since the compiler knows nothing of their use.
LOOK = [
    *("mov %%rax, kept(%%rip)", "mov %%rcx, kept+8(%%rip)", "lea %0, %%rax"),
    *(f"mov {at}(%%rax), %%rcx; mov %%rcx, seen+{at}(%%rip)" for at in range(0, 64, 8)),
    *("mov kept(%%rip), %%rax", "mov kept+8(%%rip), %%rcx"),
]
PROGRAM = """
#include <cstdint>
#include <cstdio>
extern "C" { unsigned char seen[64]; uint64_t kept[2]; }
%s
int main() {
    ggml_tile_config_init();
    for (const unsigned char byte : seen) { std::printf("%%02x", byte); }
}
"""


def upstreams_function() -> str:
    """The shapes as upstream declares and sets them."""
    code = (UPSTREAM / "mmq.cpp").read_text()
    struct, function = "struct tile_config_t", "inline void ggml_tile_config_init(void)"
    declaration = code.split(struct, 1)[1].split("\n};", 1)[0]
    body = code.split(function, 1)[1].split("\n}\n", 1)[0]
    return f"{struct}{declaration}\n}};\n{function}{body}\n}}"


@pytest.mark.parametrize("level", ["-O0", "-O2", "-O3"])
def test_the_whole_configuration_is_loaded(tmp_path: Path, level: str) -> None:
    source = tmp_path / "tiles.cpp"
    source.write_text(PROGRAM % upstreams_function())
    program = tmp_path / "tiles"
    look = "; ".join(LOOK)
    command = [os.environ.get("CXX", "c++"), level, "-fno-pie", "-no-pie", "-include", str(HEADER)]
    command += [f'-DJAN_LOAD_TILES="{look}"', "-o", str(program), str(source)]
    subprocess.run(command, check=True)
    shapes = bytes.fromhex(subprocess.check_output(program, text=True))
    assert shapes[0] == 1  # the palette
    widths = [shapes[at] + 256 * shapes[at + 1] for at in range(16, 32, 2)]
    assert widths == [64, 64, 32, 32, 64, 64, 64, 64]
    assert list(shapes[48:56]) == [8, 8, 16, 16, 16, 16, 16, 16]
