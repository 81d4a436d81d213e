"""Whether a model fits beside those that are in memory, and which of them would have to go."""

from __future__ import annotations

from collections.abc import Sequence

from jan_engine import devices
from jan_engine.backend import DeviceKind
from jan_engine.gguf import Header
from jan_engine.memory_needs import needed_bytes
from jan_server.config import Settings
from jan_server.errors import ApiError
from jan_server.inference.resident import Resident

__all__ = ["Room", "planned_bytes", "who_may_go"]

_SHARE_OF_FREE = 0.9
_MB = 1024 * 1024


class Room:
    """What is free is asked once, before anything of ours is in it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._n_bytes: int | None = None

    def fits(self, wanted: Resident, others: Sequence[Resident]) -> bool:
        """Raises 503 for what would not fit alone."""
        n_bytes = self._budget()
        if wanted.n_bytes > n_bytes:
            message = f"'{wanted.id}' needs {wanted.n_bytes // _MB} MB of {n_bytes // _MB} MB"
            raise ApiError(503, "out_of_memory", message)
        inside = [one for one in others if one.state != "waiting"]
        if self._settings.models_max and len(inside) >= self._settings.models_max:
            return False
        return sum(one.n_bytes for one in inside) + wanted.n_bytes <= n_bytes

    def _budget(self) -> int:
        if self._settings.models_memory_mb:
            return self._settings.models_memory_mb * _MB
        if self._n_bytes is None:
            found = devices()
            on = [one for one in found if one.kind is DeviceKind.GPU]
            if not on or not self._settings.n_gpu_layers:
                on = [one for one in found if one.kind is DeviceKind.CPU]
            self._n_bytes = int(sum(one.memory_free for one in on) * _SHARE_OF_FREE)
        return self._n_bytes


def who_may_go(residents: Sequence[Resident]) -> Resident | None:
    """Used longest ago, rather one that nobody holds. Whoever waited for a model holds it before it
    may go again: else nobody ever would.
    """
    may_go = [
        one for one in residents if one.state == "ready" and not one.pinned and not one.n_waiting
    ]
    return min(may_go, key=lambda one: (one.n_holders > 0, one.used_s), default=None)


def planned_bytes(headers: Sequence[Header], settings: Settings) -> int:
    """What a model will take, before it is loaded: weights of every part, cache, a pass."""
    return needed_bytes(
        headers,
        n_ctx=settings.ctx_size,
        n_parallel=settings.parallel,
        cache_type=settings.cache_type,
    )
