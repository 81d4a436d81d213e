"""python -m bench.idle_connections [--peers 20000]: peers that connect, say nothing or half of a
request, and wait. What others are served meanwhile, how much memory that takes, and when it ends.

The server is `jan serve` with a key, which none of the peers shows. They are in processes of their
own, each with as many connections as the system lets it have.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import resource
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests import models

HALVES = (
    b"",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\n",
    b"POST / HTTP/1.1\r\nX: " + b"a" * 2000,
)
EACH_SIDE = 8000  # connections from one address: it has 28,000 ports
LONGEST_S = 90


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.idle_connections", description=__doc__)
    parser.add_argument("--peers", type=int, default=20_000)
    parser.add_argument("--connect", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--address", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.connect:
        return asyncio.run(_wait(args.address, args.port, args.connect))
    with tempfile.TemporaryDirectory() as folder:
        model = models.write_demo(Path(folder) / "demo.gguf")
        return _measure(model, args.peers)


def _measure(model: Path, n_peers: int) -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    jan = [sys.executable, "-m", "jan_server.cli.main", "serve", str(model), "-t", "1"]
    server = subprocess.Popen(
        [*jan, "--port", str(port), "--api-key", "k"], stderr=subprocess.DEVNULL
    )
    peers: list[subprocess.Popen[bytes]] = []
    try:
        while _asked_s(port, timeout_s=1) is None:
            time.sleep(0.05)
        before_mb = _memory_mb(server.pid)
        for number, n in enumerate(_shares(n_peers)):
            own = [sys.executable, "-m", "bench.idle_connections", "--connect", str(n)]
            own += ["--address", f"127.0.0.{2 + number}", "--port", str(port)]
            peers.append(subprocess.Popen(own))
        began_s = time.monotonic()
        waits: list[float] = []
        n_refused, most_mb, ended_s = 0, before_mb, 0.0
        while any(peer.poll() is None for peer in peers):
            took_s = _asked_s(port, timeout_s=20)
            n_refused += took_s is None
            waits.append(took_s or 0)
            most_mb = max(most_mb, _memory_mb(server.pid))
            ended_s = time.monotonic() - began_s
            time.sleep(0.05)
        waits.sort()
        print(f"{n_peers} peers, gone after {ended_s:.0f} s")
        print(f"memory {before_mb:.0f} MB before, at most {most_mb:.0f} beside them")
        print(
            f"{len(waits)} others beside them, {n_refused} not served; "
            f"median {waits[len(waits) // 2] * 1000:.0f} ms, worst {waits[-1] * 1000:.0f} ms"
        )
        return 0 if not n_refused else 1
    finally:
        for peer in peers:
            peer.kill()
        server.terminate()
        server.wait()


def _shares(n: int) -> list[int]:
    n_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = min(EACH_SIDE, n_files - 100)
    return [min(most, n - first) for first in range(0, n, most)]


def _asked_s(port: int, *, timeout_s: float) -> float | None:
    """How long /health took on a new connection; None where there was no answer."""
    start_s = time.perf_counter()
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        client.request("GET", "/health")
        if client.getresponse().status != 200:
            return None
        return time.perf_counter() - start_s
    except OSError:
        return None
    finally:
        client.close()


def _memory_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


async def _wait(address: str, port: int, n: int) -> int:
    """Hold so many connections from that address until the server has closed each."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    at_once = asyncio.Semaphore(200)

    async def hold(number: int) -> None:
        with suppress(OSError):
            async with at_once:
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", port, local_addr=(address, 0)
                )
                writer.write(HALVES[number % len(HALVES)])
            async with asyncio.timeout(LONGEST_S):
                await reader.read()
            writer.close()

    await asyncio.gather(*(hold(number) for number in range(n)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
