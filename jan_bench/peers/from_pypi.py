"""Servers of llama.cpp that Python packages bring, each in an environment of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from jan_engine.errors import Unavailable

__all__ = ["REQUIREMENTS", "FromPypi", "install"]

REQUIREMENTS = {"llama-cpp-python": "llama-cpp-python[server]", "xllamacpp": "xllamacpp"}
_PATIENCE_S = 600.0  # some have to be compiled


class FromPypi(msgspec.Struct, frozen=True, kw_only=True):
    package: str
    version: str
    program: tuple[str, ...]  # of its environment


def install(
    package: str,
    checkout: Path,
    *,
    requirement: str | None = None,
    patience_s: float = _PATIENCE_S,
) -> FromPypi:
    """Below the checkout's build folder, where it is not there yet. Raises Unavailable where it
    cannot be had, or takes longer than is worth waiting for.
    """
    folder = checkout / "build/peers/environments" / package
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    version = _version(python, package)
    if version is None:
        print(f"installing {package} in {folder}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        wanted = requirement or REQUIREMENTS[package]
        _run([sys.executable, "-m", "venv", str(folder)], package, patience_s)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "-q"]
        _run([*pip, "install", "--prefer-binary", wanted], package, patience_s)
        version = _version(python, package)
    if version is None:
        raise Unavailable(f"{package} was installed and cannot be found")
    script = checkout / "bench/peers/xllamacpp_server.py"
    arguments = (str(script),) if package == "xllamacpp" else ("-m", "llama_cpp.server")
    return FromPypi(package=package, version=version, program=(str(python), *arguments))


def _version(python: Path, package: str) -> str | None:
    """None where it is not installed."""
    if not python.exists():
        return None
    asked = f"import importlib.metadata as m; print(m.version({package!r}))"
    done = subprocess.run([str(python), "-c", asked], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _run(command: list[str], package: str, patience_s: float) -> None:
    """In a group of its own: a compiler that pip started ends with it."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        _end(process)
        raise Unavailable(f"{package} was not installed within {patience_s:g} s") from None
    except BaseException:
        _end(process)
        raise
    if process.returncode:
        raise Unavailable(f"{package} cannot be installed", _reason(said))


def _end(process: subprocess.Popen[str]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _reason(said: str) -> str:
    """Of what pip says the line that tells."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR:", "error:"))]
    return (errors or lines or ["it said nothing"])[-1]
