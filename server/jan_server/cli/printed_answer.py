"""An answer as a person or a program reads it."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from jan_server.cli.say import say

__all__ = ["PrintedAnswer"]

_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "repeat_penalty")


class PrintedAnswer:
    """Goes to stdout as it comes; what was thought before it goes to a person on stderr."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._began_s = time.monotonic()
        self._first_s = 0.0
        self._n_pieces = 0
        self._said: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._said)

    def show(self, thought: str, said: str) -> None:
        self._first_s = self._first_s or time.monotonic()
        self._n_pieces += 1
        if thought and sys.stderr.isatty():
            print(f"\033[2m{thought}\033[0m", end="", file=sys.stderr, flush=True)
        if said:
            self._said.append(said)
            print(said, end="", flush=True)

    def end(self, sampling: Mapping[str, Any] | None = None) -> None:
        """`sampling`: how tokens were chosen, where that is known."""
        print(flush=True)
        if self._verbose and self._first_s:
            waited_s = self._first_s - self._began_s
            took_s = time.monotonic() - self._first_s
            rate = (self._n_pieces - 1) / took_s if took_s > 0 else 0.0
            say(f"first after {waited_s:.2f} s, then {rate:.1f} pieces per second")
            known = sampling or {}
            if told := [f"{name} {known[name]:g}" for name in _SAMPLING if name in known]:
                say(", ".join(told))
