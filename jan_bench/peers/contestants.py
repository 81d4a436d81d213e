"""Who is measured: our server, upstream's as people start it, and as well as it can be set."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from jan_bench.child_process import end_child, start_child
from jan_bench.load.own_server import OwnServer
from jan_bench.peers.from_pypi import FromPypi
from jan_engine.errors import Unavailable

__all__ = ["Contestant", "Shape", "contestants"]

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
    program: tuple[str, ...]  # what starts it, less flags and port; nothing: ours
    flags: tuple[str, ...]
    shape: Shape
    ready: str = "/health"  # answers when it has its model
    is_optional: bool = False  # where it does not start, the others are measured all the same

    @contextmanager
    def serving(self) -> Generator[str]:
        """Its address, while it runs. Raises Unavailable where it does not start."""
        if not self.program:
            with OwnServer(self.shape.model, self.flags, alias="peers") as server:
                yield server.url
            return
        url = f"http://127.0.0.1:{_free_port()}"
        with tempfile.TemporaryFile("w+") as said:
            command = [*self.program, *self.flags, "--port", url.rpartition(":")[2]]
            process = start_child(command, stderr=said)
            try:
                _wait(process, url + self.ready, self.name)
                yield url
            except Unavailable as error:
                said.seek(0)
                raise Unavailable(error.message, said.read()[-1000:]) from None
            finally:
                end_child(process)


def contestants(shape: Shape, programs: Path, others: Sequence[FromPypi]) -> list[Contestant]:
    """docs/benchmarking.md says why these."""
    n, t = str(shape.n_streams), str(shape.n_threads)
    ubatch, n_cells = str(shape.n_ubatch), str(shape.n_streams * shape.n_ctx)
    ours = ["--parallel", n, "--ctx-size", str(shape.n_ctx), "--threads", t]
    ours += ["--ubatch-size", ubatch, "--no-speculation"]
    stock = ["--host", "127.0.0.1", "-t", t, "-tb", t, "-np", n, "-c", n_cells]
    tuned = [*stock, "--cache-ram", "0", "--no-cache-idle-slots", "-fa", "on"]
    tuned += ["-ub", ubatch, "-b", ubatch, "--threads-http", "8"]
    servers = {
        "llama-server": stock,
        "llama-server, tuned, a cache per stream": [*tuned, "--no-kv-unified"],
        "llama-server, tuned, one cache": [*tuned, "--kv-unified"],
        "llama-server, tuned, sampling in the graph": [*tuned, "--no-kv-unified", "-bs"],
    }
    program = (str(programs / "llama-server"), "-m", str(shape.model))
    return [
        Contestant(name="jan serve", program=(), flags=tuple(ours), shape=shape),
        *(
            Contestant(name=name, program=program, flags=tuple(flags), shape=shape)
            for name, flags in servers.items()
        ),
        *(_from_pypi(other, shape) for other in others),
    ]


def _from_pypi(other: FromPypi, shape: Shape) -> Contestant:
    t = str(shape.n_threads)
    if other.package == "xllamacpp":  # the script has llama-server's flags
        flags = ["-t", t, "-np", str(shape.n_streams), "-c", str(shape.n_streams * shape.n_ctx)]
        model, ready = "-m", "/health"
    else:  # one request at a time; a second would end the first, were that not turned off
        flags = ["--host", "127.0.0.1", "--n_ctx", str(shape.n_ctx), "--n_threads", t]
        flags += ["--n_threads_batch", t, "--interrupt_requests", "false"]
        model, ready = "--model", "/v1/models"
    return Contestant(
        name=f"{other.package} {other.version}",
        program=(*other.program, model, str(shape.model)),
        flags=tuple(flags),
        shape=shape,
        ready=ready,
        is_optional=True,
    )


def _wait(process: subprocess.Popen[str], url: str, name: str) -> None:
    """Until it has its model."""
    end_s = time.monotonic() + _WAIT_S
    while time.monotonic() < end_s and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise Unavailable(f"{name} did not start")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
