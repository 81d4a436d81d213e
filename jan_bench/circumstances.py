"""What every result records besides its figures: without it nobody could repeat or compare them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

import jan_engine
from jan_bench.machine import Machine, this_machine
from jan_bench.model_file import ModelFile
from jan_engine.backend import Status

__all__ = ["Build", "Circumstances", "ComputesHere", "circumstances", "this_build"]


class ComputesHere(msgspec.Struct, frozen=True, kw_only=True):
    """A device of this process."""

    name: str
    description: str
    backend: str
    kind: str  # cpu, gpu, integrated_gpu or accelerator


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """What computed, or asked."""

    version: str
    llama_cpp_build: int
    compiler: str
    cpu_variant: str = ""  # which of the package's was loaded; "" where none was needed
    instructions: list[str] = []
    devices: list[ComputesHere] = []


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    at: str  # when it began: RFC 3339, UTC
    command: str  # "engine", "serve", ...: what of `jan bench`
    machine: Machine
    build: Build
    models: list[ModelFile]
    flags: dict[str, Any]  # as they were resolved, with what nobody gave
    repeats: int = 1
    warm_up: str = ""  # what ran before anything counted
    seed: int | None = None
    cache_policy: str = ""  # what of a prompt may have been in the cache
    client: str  # whose clock it is: a program and its version
    clock: str  # where times come from


def circumstances(
    command: str,
    *,
    models: Sequence[ModelFile] = (),
    flags: dict[str, Any],
    repeats: int = 1,
    warm_up: str = "",
    seed: int | None = None,
    cache_policy: str = "",
    computes: bool = True,
) -> Circumstances:
    """`computes` is whether this process is what is measured: then its backends are loaded."""
    return Circumstances(
        at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        command=command,
        machine=this_machine(),
        build=this_build(computes=computes),
        models=list(models),
        flags=flags,
        repeats=repeats,
        warm_up=warm_up,
        seed=seed,
        cache_policy=cache_policy,
        client=f"jan-bench/{jan_engine.build_info().version}",
        clock="std::chrono::steady_clock"
        if computes
        else time.get_clock_info("monotonic").implementation,
    )


def this_build(*, computes: bool) -> Build:
    build = jan_engine.build_info()
    loaded = [b for b in jan_engine.backends() if b.status is Status.LOADED] if computes else []
    variant = next((backend for backend in loaded if backend.score >= 0), None)
    return Build(
        version=build.version,
        llama_cpp_build=build.llama_cpp_build,
        compiler=build.compiler,
        cpu_variant=variant.name if variant else "",
        instructions=variant.instructions if variant else [],
        devices=[_named(device) for device in jan_engine.devices()] if computes else [],
    )


def _named(device: jan_engine.Device) -> ComputesHere:
    return ComputesHere(
        name=device.name,
        description=device.description,
        backend=device.backend,
        kind=device.kind.name.lower(),
    )
