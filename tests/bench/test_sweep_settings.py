"""Every axis of `jan bench sweep`, and what `jan bench peers` sets, is what the server then has.

The two packages may not import each other, so flags are words between them: each is read back here
from a server that was started with it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from jan_bench.cli.sweep import grid_from, sweep_parser
from jan_bench.load.own_server import OwnServer
from jan_bench.peers.contestants import Shape, contestants
from jan_bench.sweep.grid import Grid, Setting

pytestmark = pytest.mark.unsanitized

Told = dict[str, Any]

# Of each axis: its flag, two values as they are given, and where the server tells which it has.
AXES: dict[str, tuple[str, str, Callable[[Told], object]]] = {
    "cache_type": ("--kv-type", "q8_0,f16", lambda told: told["engine"]["cache_type"]),
    "slots": ("--slots", "3,5", lambda told: told["total_slots"]),
    "ubatch": ("--ubatch", "64,96", lambda told: told["engine"]["n_ubatch"]),
    "threads": ("--threads", "1,2", lambda told: told["engine"]["n_threads"]),
    "speculation": ("--speculation", "off,on", lambda told: told["engine"]["speculation"]),
}


# Of each flag that `jan bench peers` gives ours: where the server tells what it has.
OF_PEERS: dict[str, Callable[[Told], object]] = {
    "--parallel": AXES["slots"][2],
    "--ctx-size": lambda told: told["default_generation_settings"]["n_ctx"],
    "--threads": AXES["threads"][2],
    "--ubatch-size": AXES["ubatch"][2],
}


def props(url: str) -> Told:
    answer = httpx.get(url.removesuffix("/v1") + "/props", timeout=60)
    assert answer.status_code == 200, answer.text
    told: Told = answer.json()
    return told


def test_no_axis_is_left_out_here() -> None:
    assert set(AXES) | {"model"} == set(Setting.__struct_fields__)
    assert len(Grid.__struct_fields__) == len(Setting.__struct_fields__)


@pytest.mark.parametrize("axis", AXES)
def test_what_a_point_is_named_after_is_what_its_server_has(axis: str, alphabet_path: Path) -> None:
    flag, values, read = AXES[axis]
    asked = sweep_parser().parse_args([flag, values, "--out", "unused", "-m", str(alphabet_path)])
    wanted: list[object] = []
    found: list[object] = []
    for setting in grid_from(asked, [alphabet_path]).settings():
        wanted.append(getattr(setting, axis))
        flags = [*setting.flags(), "--ctx-size", "256"]
        with OwnServer(alphabet_path, flags, alias="swept") as server:
            found.append(read(props(server.url)))
    assert found == wanted
    assert len(set(found)) == 2


def test_a_peer_of_ours_has_what_all_get_alike(alphabet_path: Path) -> None:
    shape = Shape(model=alphabet_path, n_streams=3, n_ctx=256, n_threads=1, n_ubatch=96)
    ours = contestants(shape, Path("unused"), [])[0]
    values = dict(pairwise(ours.flags))
    given = [flag for flag in ours.flags if flag.startswith("--")]
    assert set(given) == {*OF_PEERS, "--no-speculation"}
    with ours.serving() as url:
        told = props(url)
    assert {flag: str(read(told)) for flag, read in OF_PEERS.items()} == {
        flag: values[flag] for flag in OF_PEERS
    }
    assert told["engine"]["speculation"] is False
