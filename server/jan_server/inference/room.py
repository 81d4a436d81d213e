"""Whether a model fits beside those that are in memory, and which of them would have to go."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jan_engine import devices
from jan_engine.backend import Device, DeviceKind
from jan_engine.gguf import Header
from jan_engine.memory_needs import needed_bytes
from jan_engine.placement import gpu_bytes
from jan_server.config import Settings
from jan_server.errors import ApiError
from jan_server.inference.resident import Resident

__all__ = ["Room", "planned_bytes", "who_may_go"]

_SHARE_OF_FREE = 0.9
_MB = 1024 * 1024


class Room:
    """What is free is asked once, before anything of ours is in it."""

    def __init__(self, settings: Settings, find: Callable[[], Sequence[Device]] = devices) -> None:
        self._settings = settings
        self._find = find
        self._memory: tuple[int, int] | None = None

    def fits(self, wanted: Resident, others: Sequence[Resident]) -> bool:
        """Raises 503 for what would not fit alone."""
        on_gpus, n_bytes = self._budget()
        if wanted.n_bytes > n_bytes:
            message = f"'{wanted.id}' needs {wanted.n_bytes // _MB} MB of {n_bytes // _MB} MB"
            raise ApiError(503, "out_of_memory", message)
        # A model that GPUs can hold whole is fast there: others make room. One that they cannot, or
        # not beside those that stay, lies partly in the machine's memory, which is counted then.
        stay = sum(one.n_bytes for one in others if one.pinned)
        if wanted.n_bytes + stay <= on_gpus:
            n_bytes = on_gpus
        inside = [one for one in others if one.state != "waiting"]
        if self._settings.models_max and len(inside) >= self._settings.models_max:
            return False
        return sum(one.n_bytes for one in inside) + wanted.n_bytes <= n_bytes

    def _budget(self) -> tuple[int, int]:
        """What models may take on GPUs, and in all."""
        if self._settings.models_memory_mb:
            return 0, self._settings.models_memory_mb * _MB
        if self._memory is None:
            found = self._find()
            on_gpus = gpu_bytes(found) if self._settings.n_gpu_layers else 0
            free = sum(one.memory_free for one in found if one.kind is DeviceKind.CPU)
            self._memory = on_gpus, on_gpus + int(free * _SHARE_OF_FREE)
        return self._memory


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
