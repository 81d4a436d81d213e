"""A server that runs already, as the verbs talk to it. Nothing but the standard library: it is
asked whether it is there before anything that takes time is imported.
"""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

__all__ = ["Live", "NoServer", "Refused", "add_live_flags", "live_of"]

_DEFAULT_URL = "http://127.0.0.1:1337"
_TIMEOUT_S = 600.0  # a model may be loaded meanwhile
_KNOCK_S = 1.0


class NoServer(Exception):
    """Nobody answers there."""


class Refused(Exception):
    """The server said no, and why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Live:
    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self._key = key
        # What is on this machine, or was named, is not asked through somebody else.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def is_there(self) -> bool:
        try:
            self._open("GET", "/healthz", None, _KNOCK_S).close()
        except (NoServer, Refused):
            return False
        return True

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Raises NoServer or Refused."""
        with self._open(method, path, body, _TIMEOUT_S) as answer:
            return json.loads(answer.read())

    def events(self, path: str, body: object) -> Iterator[Any]:
        """The frames of a stream. Raises like `ask`, and Refused for one that breaks off."""
        with self._open("POST", path, body, _TIMEOUT_S) as answer:
            for line in answer:
                if not line.startswith(b"data: "):
                    continue
                data = line[6:].strip()
                if data == b"[DONE]":
                    return
                frame = json.loads(data)
                if "error" in frame:
                    raise Refused(500, frame["error"]["message"])
                yield frame
        raise Refused(500, "the answer broke off")

    def _open(self, method: str, path: str, body: object, timeout_s: float) -> Any:  # noqa: ANN401
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        if self._key:
            request.add_header("Authorization", f"Bearer {self._key}")
        try:
            return self._opener.open(request, timeout=timeout_s)
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, _message(error.read()) or str(error)) from None
        except (OSError, ValueError) as error:
            raise NoServer(f"no server answers at {self.url}: {error}") from None


def add_live_flags(parser: argparse.ArgumentParser) -> None:
    url = os.environ.get("JAN_URL", _DEFAULT_URL)
    key = os.environ.get("JAN_API_KEY", "").partition(",")[0]
    parser.add_argument("--url", default=url, help=f"the server (JAN_URL; default: {_DEFAULT_URL})")
    parser.add_argument("--api-key", default=key, help="its key (JAN_API_KEY)")


def live_of(asked: argparse.Namespace) -> Live:
    return Live(asked.url, asked.api_key)


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return ""
