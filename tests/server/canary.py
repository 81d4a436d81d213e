"""What others feel while somebody sends a hostile request: how long GET /health takes, and how long
a stream that runs already is silent.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from urllib.parse import urlsplit

__all__ = ["Canary", "nobody_waits"]

_EVERY_S = 0.01
_QUIET_S = 0.5  # how long the machine is watched before the hostile request


class _Wait:
    """One that comes again and again. Written by one thread, read by another."""

    def __init__(self) -> None:
        self._longest_s = 0.0
        self._since: float | None = None

    def begin(self) -> None:
        self._since = time.monotonic()

    def end(self) -> None:
        self._longest_s = self.longest_s
        self._since = None

    def restart(self) -> None:
        """What is over counts no more; what goes on does."""
        self._longest_s = 0.0

    @property
    def longest_s(self) -> float:
        since = self._since
        lasting_s = 0.0 if since is None else time.monotonic() - since
        return max(self._longest_s, lasting_s)


class Canary:
    """Calls a server until the block ends, on connections of its own.

    `stream` is the body of a completion that goes on for as long as it is read; without it only
    /health is asked.
    """

    def __init__(
        self,
        url: str,
        *,
        stream: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._address = urlsplit(url).netloc
        self._body = json.dumps({**(stream or {}), "stream": True})
        self._headers = dict(headers or {})
        self._end = threading.Event()
        self._begun = threading.Event()  # the stream has
        self._failure: BaseException | None = None
        self.health = _Wait()
        self.silence = _Wait()
        work = [self._ask_health] if stream is None else [self._ask_health, self._read_stream]
        self._threads = [threading.Thread(target=self._run, args=(one,)) for one in work]

    def __enter__(self) -> Canary:
        for thread in self._threads:
            thread.start()
        if len(self._threads) > 1:
            self._begun.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(60)
        if self._failure is not None:
            raise AssertionError("a canary's own request failed") from self._failure

    def restart(self) -> None:
        self.health.restart()
        self.silence.restart()

    @property
    def worst_s(self) -> float:
        """The longest that anything waited since the last restart, or waits by now."""
        return max(self.health.longest_s, self.silence.longest_s)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._failure = error
            self._begun.set()

    def _ask_health(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=60)
        with closing(connection):
            while not self._end.wait(_EVERY_S):
                self.health.begin()
                connection.request("GET", "/health")
                answer = connection.getresponse()
                answer.read()
                self.health.end()
                assert answer.status == 200, answer.status

    def _read_stream(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=60)
        connection.request("POST", "/v1/completions", self._body, self._headers)
        answer = connection.getresponse()
        with closing(connection), closing(answer):
            assert answer.status == 200, answer.read()
            while not self._end.is_set():
                line = answer.readline()
                assert line, "the canary's stream has ended"
                if line.startswith(b"data: "):
                    self.silence.end()
                    self.silence.begin()
                    self._begun.set()


def nobody_waits(
    url: str,
    attack: Callable[[], object],
    *,
    stream: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
    within_s: float = 0.2,
    tries: int = 3,
) -> None:
    """While `attack` runs nobody else waits longer than `within_s`, in the best of some tries: a
    machine that is shared stops anybody now and then, a server that blocks does so each time. Where
    others keep the machine so busy that the same calls wait as long without the attack, three times
    that is allowed.
    """
    seen: list[str] = []
    for _ in range(tries):
        with Canary(url, stream=stream, headers=headers) as canary:
            time.sleep(_QUIET_S)
            allowed_s = max(within_s, 3 * canary.worst_s)
            canary.restart()
            attack()
            health_s, silence_s = canary.health.longest_s, canary.silence.longest_s
        if max(health_s, silence_s) <= allowed_s:
            return
        seen.append(f"/health {health_s:.3f} s, stream {silence_s:.3f} s of {allowed_s:.3f} s")
    raise AssertionError(f"others waited: {'; '.join(seen)}")
