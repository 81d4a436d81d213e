"""Which models fit where, on machines whose devices are made up."""

from __future__ import annotations

from pathlib import Path

import pytest
from jan_server.config import Settings
from jan_server.inference.gpu_layers import chosen_gpu_layers
from jan_server.inference.resident import Resident
from jan_server.inference.room import Room
from jan_server.inference.text_work import TextWork

from jan_bench.tune.trials import free_bytes
from jan_engine.backend import Device, DeviceKind

GB = 1 << 30


def device(kind: DeviceKind, free: int) -> Device:
    return Device(
        name="x", description="", backend="x", kind=kind, memory_free=free, memory_total=free
    )


CPU = device(DeviceKind.CPU, 64 * GB)
GPU = device(DeviceKind.GPU, 12 * GB)


def model(n_bytes: int, *, pinned: bool = False) -> Resident:
    made = Resident(Settings(), TextWork(1), pinned=pinned, own={})
    made.n_bytes, made.state = n_bytes, "ready"
    return made


@pytest.fixture
def room() -> Room:
    return Room(Settings(), lambda: [CPU, GPU])


def test_a_model_larger_than_the_gpu_fits_beside_the_machine_s_memory(room: Room) -> None:
    assert room.fits(model(30 * GB), [])
    assert room.fits(model(30 * GB), [model(8 * GB)])


def test_one_that_the_gpu_holds_whole_has_others_make_room(room: Room) -> None:
    assert room.fits(model(8 * GB), [])
    assert not room.fits(model(8 * GB), [model(8 * GB)])
    assert room.fits(model(8 * GB), [model(8 * GB, pinned=True)])  # who stays makes none


def test_on_the_cpu_its_memory_counts() -> None:
    room = Room(Settings(n_gpu_layers=0), lambda: [CPU, GPU])
    assert room.fits(model(30 * GB), [model(20 * GB)])
    assert not room.fits(model(30 * GB), [model(30 * GB)])


def test_tuning_counts_the_memory_of_devices_in_use() -> None:
    assert free_bytes([CPU, GPU], 0) == 64 * GB
    assert free_bytes([CPU, GPU], -1) == 12 * GB
    assert free_bytes([CPU, GPU], 7) == 76 * GB
    assert free_bytes([CPU], -1) == 64 * GB


def test_a_number_of_layers_that_was_asked_for_is_taken(random_path: Path) -> None:
    small = [CPU, device(DeviceKind.GPU, GB // 8)]
    assert chosen_gpu_layers(random_path, Settings(n_gpu_layers=7), small) == 7
    assert chosen_gpu_layers(random_path, Settings(), small) == 0
    assert chosen_gpu_layers(random_path, Settings(), [CPU, GPU]) == -1
