"""Hardware backends: what is on disk, what runs, and why the rest does not."""

from __future__ import annotations

import json
import os
import threading
from enum import IntEnum
from pathlib import Path

import msgspec

from jan_engine import _core, cpu_variant, log

__all__ = ["Backend", "Device", "DeviceKind", "Status", "backends", "build_info", "devices"]

# An editable install keeps the compiled files apart from the sources, so the extension itself
# says where they are.
_PACKAGE = Path(_core.__file__).resolve().parent


class Status(IntEnum):
    """enum class backend_status in csrc/backend.h."""

    LOADED = 0
    NO_DEVICE = 1
    UNSUPPORTED = 2
    OUTSCORED = 3
    FAILED = 4
    CRASHED = 5


class DeviceKind(IntEnum):
    """enum class device_kind in csrc/backend.h."""

    CPU = 0
    GPU = 1
    INTEGRATED_GPU = 2
    ACCELERATOR = 3


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """One backend library of the package and what became of it."""

    name: str
    path: str
    status: Status
    score: int  # a CPU variant's rating of this machine, -1 for other backends
    reason: str  # why it is not in use; empty when it is
    instructions: list[str]  # what a CPU variant was built for


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """Something that computes."""

    name: str
    description: str
    backend: str
    kind: DeviceKind
    memory_free: int  # bytes
    memory_total: int  # bytes


class BuildInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How this copy of the engine was built."""

    version: str
    llama_cpp_build: int
    compiler: str
    sanitize: str
    cpu: str
    cpu_variants: dict[str, list[str]]


def build_info() -> BuildInfo:
    return msgspec.convert(json.loads((_PACKAGE / "_build.json").read_text()), BuildInfo)


_opening = threading.Lock()
_is_open = False


def load() -> None:
    """Load every backend of the package, once per process. Needed before any model."""
    global _is_open
    with _opening:
        if _is_open:
            return
        folder = _PACKAGE / "backends"
        try:
            crashed = cpu_variant.crashed_variants(folder)
            _core.open_backends(os.fsencode(folder), crashed=crashed)
        finally:
            log.forward()
        _is_open = True


def load_only(folder: Path, name: str) -> None:
    """Load one backend and no other: in a process that may die of it."""
    global _is_open
    with _opening:
        _core.open_backends(os.fsencode(folder), only=os.fsencode(name))
        _is_open = True


def backends() -> list[Backend]:
    load()
    variants = build_info().cpu_variants
    found = [_backend(entry, variants) for entry in _core.list_backend_files()]
    winner = next((b for b in found if b.status is Status.LOADED and b.instructions), None)
    return [_explained(backend, winner) for backend in found]


def devices() -> list[Device]:
    load()
    return [msgspec.convert(entry, Device) for entry in _core.list_devices()]


def _backend(entry: dict[str, object], variants: dict[str, list[str]]) -> Backend:
    built_for = variants.get("cpu-native" if entry["name"] == "cpu" else str(entry["name"]), [])
    return msgspec.convert({**entry, "instructions": built_for}, Backend)


def _explained(backend: Backend, winner: Backend | None) -> Backend:
    """Name the instructions that a variant needs and the chosen one does not have."""
    if backend.status is not Status.UNSUPPORTED or winner is None:
        return backend
    missing = [name for name in backend.instructions if name not in winner.instructions]
    if not missing:
        return backend
    one_of = "one of " if len(missing) > 1 else ""
    return msgspec.structs.replace(
        backend, reason=f"this processor lacks {one_of}{', '.join(missing)}"
    )
