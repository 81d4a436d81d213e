"""A hub on loopback: the part of Hugging Face's protocol that downloads use, with the faults of
real networks. Files are answered from a second path, as the hub answers from another host.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, unquote

REVISION = "a" * 40


class Hub:
    """Files by repository and name. What goes wrong is set by the test."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.claimed_sha256: dict[str, str] = {}  # by name, in place of the truth
        self.cut_after: list[int] = []  # bytes after which the next answers end
        self.statuses: list[int] = []  # of the next answers, in place of a file
        self.ignores_ranges = False
        self.token = ""  # needed, where it is not empty
        self.hold = threading.Event()  # cleared: bodies stop in their middle
        self.hold.set()
        self.stopped = threading.Event()  # a body is in its middle
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.n_sent = 0
        self.url = ""

    def add(self, repo: str, name: str, content: bytes | Path) -> bytes:
        content = content.read_bytes() if isinstance(content, Path) else content
        self.files.setdefault(repo, {})[name] = content
        return content

    def bodies(self) -> list[dict[str, str]]:
        """The headers of requests for a file's bytes."""
        return [headers for path, headers in self.requests if path.startswith("/cdn/")]


class _Handler(BaseHTTPRequestHandler):
    hub: ClassVar[Hub]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.hub
        path = unquote(self.path.partition("?")[0])
        hub.requests.append((path, {k.lower(): v for k, v in self.headers.items()}))
        if described := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/[^/]+)?", path):
            self._describe(described[1])
        elif resolved := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            self._resolve(*resolved.groups())
        elif found := re.fullmatch(r"/cdn/([^/]+/[^/]+)/(.+)", path):
            self._send_file(*found.groups())
        else:
            self._refuse(404)

    def _describe(self, repo: str) -> None:
        if self.hub.token and self.headers["Authorization"] != f"Bearer {self.hub.token}":
            self._refuse(401, {"X-Error-Code": "GatedRepo"})
            return
        if repo not in self.hub.files:
            self._refuse(404, {"X-Error-Code": "RepoNotFound"})
            return
        siblings = [
            {
                "rfilename": name,
                "size": len(content),
                "lfs": {
                    "sha256": self.hub.claimed_sha256.get(
                        name, hashlib.sha256(content).hexdigest()
                    ),
                    "size": len(content),
                    "pointerSize": 134,
                },
            }
            for name, content in self.hub.files[repo].items()
        ]
        body = json.dumps({"id": repo, "sha": REVISION, "siblings": siblings}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _resolve(self, repo: str, name: str) -> None:
        if name not in self.hub.files.get(repo, {}):
            self._refuse(404, {"X-Error-Code": "EntryNotFound"})
            return
        self.send_response(302)
        # Another host by its name, so that a client has to keep the token to itself.
        elsewhere = self.hub.url.replace("127.0.0.1", "localhost")
        self.send_header("Location", f"{elsewhere}/cdn/{repo}/{quote(name)}")
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_file(self, repo: str, name: str) -> None:
        hub = self.hub
        if hub.statuses:
            self._refuse(hub.statuses.pop(0))
            return
        content = hub.files.get(repo, {}).get(name)
        if content is None:
            self._refuse(404)
            return
        etag = '"' + hashlib.sha256(content).hexdigest()[:16] + '"'
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and not hub.ignores_ranges and self.headers.get("If-Range", etag) == etag:
            start = int(asked[1])
            if start >= len(content):
                self._refuse(416, {"Content-Range": f"bytes */{len(content)}"})
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = min(len(content), start + hub.cut_after.pop(0)) if hub.cut_after else len(content)
        self._write(content[start:end])
        if end < len(content):
            self.close_connection = True

    def _write(self, content: bytes) -> None:
        middle = len(content) // 2
        self.wfile.write(content[:middle])
        self.wfile.flush()
        if not self.hub.hold.is_set():
            self.hub.stopped.set()
            self.hub.hold.wait(60)
        try:
            self.wfile.write(content[middle:])
        except OSError:  # the caller has gone
            self.close_connection = True
        self.hub.n_sent += len(content)

    def _refuse(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Callers leave as they like."""


def wait_for_bytes(home: Path) -> None:
    """Until something of a download lies in its partial file."""
    end = time.monotonic() + 30
    while not any(path.stat().st_size for path in home.rglob("partial/*/model.gguf")):
        assert time.monotonic() < end, "nothing arrived"
        time.sleep(0.01)


@contextmanager
def running_hub() -> Generator[Hub]:
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = _Server(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield hub
    finally:
        hub.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()
