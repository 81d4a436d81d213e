"""Who is let in. The engine bounds how many requests wait; this, how much of them is unread."""

from __future__ import annotations

import time

from jan_server.errors import ApiError

__all__ = ["Admission"]

_FORGET_S = 30.0  # how fast the speed of reading follows the machine


class Admission:
    """Counts the prompt tokens of requests without a first token. Belongs to the event loop."""

    def __init__(self, max_tokens: int) -> None:
        """`max_tokens`: 0 for no limit."""
        self.max_tokens = max_tokens
        self.n_tokens = 0
        self._began_s = 0.0  # of the time that the next two are about
        self._n_read = 0.0
        self._busy_s = 0.0

    def enter(self, n_tokens: int) -> None:
        """Raises 503 where others have to be read first. An empty queue takes any prompt."""
        if self.max_tokens and self.n_tokens and self.n_tokens + n_tokens > self.max_tokens:
            raise ApiError(
                503,
                "server_overloaded",
                f"{self.n_tokens} prompt tokens wait already",
                headers={"Retry-After": str(self.retry_after_s())},
            )
        if not self.n_tokens:
            self._began_s = time.monotonic()
        self.n_tokens += n_tokens

    def read(self, n_tokens: int) -> None:
        """That many were read, or given up."""
        now_s = time.monotonic()
        self.n_tokens -= n_tokens
        self._busy_s += now_s - self._began_s
        self._n_read += n_tokens
        self._began_s = now_s
        if self._busy_s > _FORGET_S:
            self._busy_s /= 2
            self._n_read /= 2

    def retry_after_s(self) -> int:
        """Until half of what waits is read, at the speed of late."""
        if not self._n_read:
            return 1
        return min(60, max(1, round(self.n_tokens / 2 * self._busy_s / self._n_read)))
