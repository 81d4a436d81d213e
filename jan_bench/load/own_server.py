"""`jan serve` in a process of its own, for as long as something is measured."""

from __future__ import annotations

import re
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from jan_bench.child_process import end_child, start_child
from jan_engine.errors import Unavailable

__all__ = ["OwnServer"]

_WAIT_S = 600.0  # for a model to be read


class OwnServer:
    """Listens on a port that was free. Raises Unavailable with the server's own words."""

    def __init__(
        self, model: Path, flags: Sequence[str], *, alias: str, wait_s: float = _WAIT_S
    ) -> None:
        self.model = alias
        self._home = tempfile.TemporaryDirectory(prefix="jan-bench-")
        command = [sys.executable, "-m", "jan_server.cli.main", "serve", str(model)]
        command += ["--port", "0", "--alias", alias, "--home", self._home.name]
        command += ["--no-log-requests", *flags]
        self._said: deque[str] = deque(maxlen=20)
        self._url: list[str] = []
        self._has_said = threading.Event()
        self.process = start_child(command)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.began_s = time.monotonic()
        try:
            self._has_said.wait(wait_s)
        except BaseException:
            self.close()
            raise
        if not self._url:
            self.close()
            raise Unavailable(
                "the server did not start", "\n".join(self._said) or "it said nothing"
            )

    @property
    def url(self) -> str:
        return self._url[0]

    def close(self) -> None:
        end_child(self.process)
        self._listener.join(5)
        self._home.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self) -> None:
        """To its end: a pipe that nobody empties stops who writes into it."""
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self._said.append(line.rstrip())
                if not self._url and (found := re.match(r"https?://[^\s,]+", line)):
                    self._url.append(found[0].rstrip("/"))
                    self._has_said.set()
        self._has_said.set()
