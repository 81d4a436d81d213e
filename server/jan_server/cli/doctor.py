"""`jan doctor`: what a report of a fault needs, and what is wrong with this machine."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import socket
import sqlite3
import sys
from pathlib import Path
from typing import Any

import msgspec

from jan_engine import backends, build_info, devices
from jan_engine.errors import EngineError
from jan_server.cli.live import Live, NoServer, Refused, add_live_flags, live_of
from jan_server.cli.say import say
from jan_server.cli.store import read_models
from jan_server.cli.told import print_json, size_text
from jan_server.home import home_folder, models_folder
from jan_server.library.records import DATABASE

__all__ = ["run"]

_HUB_WAIT_S = 3.0


def run(arguments: list[str]) -> int:
    """1 where something is wrong."""
    parser = argparse.ArgumentParser(
        prog="jan doctor",
        description="What a report of a fault needs. Holds no keys and no names. Of a model, also "
        "which kernels compute with which of its weights: it is loaded and run for that.",
    )
    parser.add_argument("model", nargs="?", help="a file, or a model's name")
    parser.add_argument(
        "--no-jan-kernels",
        dest="matrix_kernels",
        action="store_false",
        help="of the model, as llama.cpp alone would have it",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--offline", action="store_true", help="do not knock at the hub")
    add_live_flags(parser)
    asked = parser.parse_args(arguments)
    of_model: dict[str, Any] = {}
    if asked.model is not None:
        from jan_bench.cli.verbs import status_of
        from jan_server.cli.doctor_model import model_kernels

        try:
            of_model["model"] = model_kernels(asked.model, matrix_kernels=asked.matrix_kernels)
        except EngineError as error:
            say(f"error: {error}")
            return status_of(error)
    told: dict[str, Any] = {
        "version": msgspec.to_builtins(build_info()),
        "system": _system(),
        "backends": [
            {
                "name": one.name,
                "status": one.status.name.lower(),
                "reason": one.reason,
                "instructions": list(one.instructions),
            }
            for one in backends()
        ],
        "devices": msgspec.to_builtins(devices()),
        "home": _home(),
        "server": _server(live_of(asked)),
        "hub": "not asked" if asked.offline else _hub(),
        "other_jan": _others(),
        **of_model,
    }
    wrong = _wrong(told)
    if asked.json:
        print_json({**told, "wrong": wrong})
    else:
        _print(told, wrong)
        if asked.model is not None:
            from jan_server.cli.doctor_model import print_kernels

            print_kernels(told["model"])
    return 1 if wrong else 0


def _system() -> dict[str, Any]:
    facts: dict[str, Any] = {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "python": sys.version.split()[0],
        "cores": os.cpu_count(),
    }
    if sys.platform != "win32":
        import resource

        facts["open_files"] = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        facts["cores_allowed"] = (
            len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
        )
    return facts


def _home() -> dict[str, Any]:
    home = home_folder()
    folder = models_folder(home)
    there = next(path for path in (folder, *folder.parents) if path.exists())
    facts: dict[str, Any] = {
        "path": str(home),
        "free_bytes": shutil.disk_usage(there).free,
        "is_writable": os.access(there, os.W_OK),
        "database": _database(folder / DATABASE),
    }
    models = read_models(folder) if facts["database"] in ("ok", "none yet") else []
    facts["models"] = len(models)
    facts["missing"] = sum(not model.is_here(folder) for model in models)
    facts["partial_bytes"] = sum(file.stat().st_size for file in (folder / "partial").glob("*/*"))
    return facts


def _database(path: Path) -> str:
    if not path.exists():
        return "none yet"
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            return str(connection.execute("pragma quick_check").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error as error:
        return str(error)


def _server(live: Live) -> dict[str, Any]:
    try:
        return {"url": live.url, **live.ask("GET", "/v1/version")}
    except NoServer:
        return {"url": live.url, "version": None}
    except (Refused, ValueError):
        return {"url": live.url, "version": "of somebody else"}


def _hub() -> str:
    from urllib.parse import urlsplit

    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return "HF_HUB_OFFLINE is set"
    parts = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), _HUB_WAIT_S).close()
    except OSError as error:
        return f"{parts.hostname} does not answer: {error}"
    return "answers"


def _others() -> list[str]:
    """Other programs of the same name that a shell might find."""
    own = Path(sys.executable).parent
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    found = {folder / "jan" for folder in folders if (folder / "jan").is_file()}
    return sorted(str(path) for path in found if path.parent.resolve() != own.resolve())


def _wrong(told: dict[str, Any]) -> list[str]:
    home = told["home"]
    found = [
        (not home["is_writable"], f"{home['path']} cannot be written to"),
        (home["database"] not in ("ok", "none yet"), f"the database: {home['database']}"),
        (home["missing"] > 0, f"{home['missing']} models are listed whose files are gone"),
        (home["free_bytes"] < 10**9, "less than 1 GB is free for models"),
        (bool(told["other_jan"]), "another jan: " + ", ".join(told["other_jan"])),
        (not any(one["status"] == "loaded" for one in told["backends"]), "nothing computes here"),
    ]
    return [text for is_so, text in found if is_so]


def _print(told: dict[str, Any], wrong: list[str]) -> None:
    version, system, home = told["version"], told["system"], told["home"]
    lines = {
        "jan-engine": f"{version['version']}, llama.cpp build {version['llama_cpp_build']}, "
        f"{version['compiler']}",
        "system": f"{system['platform']}, Python {system['python']}, {system['cores']} cores",
    }
    for name, text in lines.items():
        print(f"{name:<11} {text}")
    for one in told["backends"]:
        print(f"{'backend':<11} {one['name']}: {one['status']}" + f" {one['reason']}".rstrip())
    for one in told["devices"]:
        free = size_text(one["memory_free"])
        print(
            f"{'device':<11} {one['description']}: {free} of {size_text(one['memory_total'])} free"
        )
    print(f"{'home':<11} {home['path']}: {home['models']} models, database {home['database']}")
    print(f"{'disk':<11} {size_text(home['free_bytes'])} free")
    server = told["server"]
    print(f"{'server':<11} {server['url']}: {server['version'] or 'none'}")
    print(f"{'hub':<11} {told['hub']}")
    for text in wrong:
        print(f"{'wrong':<11} {text}")
