"""Who is measured: our server, upstream's as people start it, and as well as it can be set."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from jan_bench.child_process import end_child, start_child
from jan_bench.load.own_server import OwnServer
from jan_engine.errors import Unavailable

__all__ = ["Contestant", "Shape", "ceiling_per_s", "contestants"]

_WAIT_S = 600.0


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What all of them get alike."""

    model: Path
    n_streams: int
    n_ctx: int  # tokens of each
    n_threads: int
    n_ubatch: int = 512


class Contestant(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    program: Path | None  # None: ours
    flags: tuple[str, ...]
    shape: Shape

    @contextmanager
    def serving(self) -> Generator[str]:
        """Its address, while it runs. Raises Unavailable where it does not start."""
        if self.program is None:
            with OwnServer(self.shape.model, self.flags, alias="peers") as server:
                yield server.url
            return
        port = _free_port()
        command = [str(self.program), "-m", str(self.shape.model), "--port", str(port)]
        with tempfile.TemporaryFile("w+") as said:
            process = start_child([*command, *self.flags], stderr=said)
            try:
                _wait(process, port, self.name)
                yield f"http://127.0.0.1:{port}"
            except Unavailable as error:
                said.seek(0)
                raise Unavailable(error.message, said.read()[-1000:]) from None
            finally:
                end_child(process)


def contestants(shape: Shape, programs: Path) -> list[Contestant]:
    """docs/benchmarking.md says why these."""
    n, t = str(shape.n_streams), str(shape.n_threads)
    ubatch, n_cells = str(shape.n_ubatch), str(shape.n_streams * shape.n_ctx)
    ours = ["--parallel", n, "--ctx-size", str(shape.n_ctx), "--threads", t]
    ours += ["--batch-size", ubatch, "--no-speculation"]
    stock = ["--host", "127.0.0.1", "-t", t, "-tb", t, "-np", n, "-c", n_cells]
    tuned = [*stock, "--cache-ram", "0", "-fa", "on", "-ub", ubatch, "-b", ubatch]
    server = programs / "llama-server"
    return [
        Contestant(name="jan serve", program=None, flags=tuple(ours), shape=shape),
        Contestant(name="llama-server", program=server, flags=tuple(stock), shape=shape),
        Contestant(
            name="llama-server, tuned, a cache per stream",
            program=server,
            flags=(*tuned, "--no-kv-unified"),
            shape=shape,
        ),
        Contestant(
            name="llama-server, tuned, one cache",
            program=server,
            flags=(*tuned, "--kv-unified"),
            shape=shape,
        ),
    ]


def ceiling_per_s(shape: Shape, programs: Path, *, n_input: int, n_output: int) -> float:
    """Tokens per second out of upstream's kernels, with no server, sampler or caller around them:
    of its two cache layouts the better.
    """
    best = 0.0
    for layout in ("--kv-unified", "--no-kv-unified"):
        command = [str(programs / "llama-batched-bench"), "-m", str(shape.model), layout]
        command += ["-t", str(shape.n_threads), "-tb", str(shape.n_threads)]
        command += ["-c", str(shape.n_streams * shape.n_ctx), "-ub", str(shape.n_ubatch)]
        command += ["-npp", str(n_input), "-ntg", str(n_output), "-npl", str(shape.n_streams)]
        done = subprocess.run(
            [*command, "--output-format", "jsonl"], capture_output=True, text=True, check=False
        )
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                row = msgspec.json.decode(line, type=dict[str, float | int])
                best = max(best, shape.n_streams * n_output / (row["t_pp"] + row["t_tg"]))
    return best


def _wait(process: subprocess.Popen[str], port: int, name: str) -> None:
    """Until it has its model."""
    end_s = time.monotonic() + _WAIT_S
    while time.monotonic() < end_s and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise Unavailable(f"{name} did not start")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
