"""How much of a model lies on GPUs, on machines whose devices are made up."""

from __future__ import annotations

from pathlib import Path

from jan_engine.backend import Device, DeviceKind
from jan_engine.gguf import check_model
from jan_engine.placement import (
    ALL_LAYERS,
    LayerSizes,
    gpu_bytes,
    layer_sizes,
    layers_that_fit,
    place,
)

GB = 1 << 30
MODEL = LayerSizes(layers=[GB] * 10, output=2 * GB, cache=GB / 4)  # 12.5 GB with its cache


def device(kind: DeviceKind, free: int) -> Device:
    return Device(
        name="x", description="", backend="x", kind=kind, memory_free=free, memory_total=free
    )


def test_a_gpu_with_room_takes_everything() -> None:
    assert layers_that_fit(MODEL, 15 * GB) == ALL_LAYERS
    assert layers_that_fit(MODEL, int(14.5 * GB)) == ALL_LAYERS


def test_a_smaller_one_takes_the_last_layers() -> None:
    # What follows the last layer counts as one, then each takes 1.25 GB.
    assert layers_that_fit(MODEL, int(14.4 * GB)) == 10
    assert layers_that_fit(MODEL, 6 * GB) == 1 + 3
    assert layers_that_fit(MODEL, 2 * GB) == 1


def test_one_without_room_takes_nothing() -> None:
    assert layers_that_fit(MODEL, GB) == 0
    assert layers_that_fit(MODEL, 0) == 0


def test_bytes_of_gpus_are_those_of_cards_of_their_own() -> None:
    cpu, shared = device(DeviceKind.CPU, 64 * GB), device(DeviceKind.INTEGRATED_GPU, 32 * GB)
    assert gpu_bytes([cpu, shared]) == 0
    one = gpu_bytes([cpu, device(DeviceKind.GPU, 8 * GB)])
    assert 6 * GB < one < 7.2 * GB
    assert gpu_bytes([device(DeviceKind.GPU, 8 * GB)] * 2) == 2 * one
    assert gpu_bytes([device(DeviceKind.GPU, GB // 8)]) == 0


def test_a_file_s_layers_are_measured(random_path: Path) -> None:
    headers = check_model(random_path)
    sizes = layer_sizes(headers, 600.0)
    tensors = [tensor for header in headers for tensor in header.tensors]
    n_layers = len({t.name.split(".")[1] for t in tensors if t.name.startswith("blk.")})
    assert len(sizes.layers) == n_layers
    assert sizes.cache == 600 / n_layers
    named = {tensor.name for tensor in tensors}
    counted = sum(sizes.layers) + sizes.output
    if "output.weight" in named:
        counted += sum(t.n_bytes for t in tensors if t.name.startswith("token_embd"))
    assert counted == sum(t.n_bytes for t in tensors)


def test_a_machine_s_devices_decide(random_path: Path) -> None:
    headers = check_model(random_path)
    cpu = device(DeviceKind.CPU, 64 * GB)
    assert place([cpu], headers, 0) == ALL_LAYERS  # as llama.cpp has it
    assert place([cpu, device(DeviceKind.GPU, 8 * GB)], headers, 0) == ALL_LAYERS
    assert place([cpu, device(DeviceKind.GPU, GB // 8)], headers, 0) == 0
