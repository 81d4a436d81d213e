"""A model that is in memory, on its way in, or on its way out."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Literal

import msgspec

from jan_server.config import OF_A_MODEL, SAMPLING, Settings
from jan_server.inference.served_model import ServedModel
from jan_server.inference.text_work import TextWork

__all__ = ["Resident", "ResidentState", "own_settings"]

ResidentState = Literal["waiting", "loading", "ready", "stopping", "failed"]


class Resident:
    """Belongs to the event loop. Whoever uses it holds it meanwhile."""

    def __init__(
        self, settings: Settings, text_work: TextWork, *, pinned: bool, own: dict[str, Any]
    ) -> None:
        """`own`: what of the settings is this model's alone."""
        self.served = ServedModel(settings, text_work)
        self.own = own
        self.pinned = pinned
        self.state: ResidentState = "waiting"
        self.n_bytes = 0  # that it takes, KV cache included, as far as can be said
        self.n_holders = 0
        self.n_waiting = 0  # for it to be loaded
        self.used_s = time.monotonic()
        self.loading: asyncio.Task[None] | None = None
        self.idle = asyncio.Event()
        self.idle.set()
        self.gone = asyncio.Event()
        self.expiry: asyncio.TimerHandle | None = None

    @property
    def id(self) -> str:
        return self.served.id

    @property
    def is_on_its_way(self) -> bool:
        """In or out. What loads since the start of the server says so itself when it is asked."""
        if self.state == "stopping":
            return True
        return self.state != "ready" and self.loading is not None

    @property
    def leaves_in_s(self) -> float | None:
        """None: not by itself, or not while it is held."""
        if self.expiry is None:
            return None
        return max(0.0, self.expiry.when() - asyncio.get_running_loop().time())

    def hold(self) -> None:
        self.n_holders += 1
        self.idle.clear()
        if self.expiry is not None:
            self.expiry.cancel()
            self.expiry = None

    def let_go(self) -> None:
        self.n_holders -= 1
        self.used_s = time.monotonic()
        if not self.n_holders:
            self.idle.set()


def own_settings(settings: Settings, path: str, model_id: str, own: dict[str, Any]) -> Settings:
    """The server's, with what this model has of its own. A sampling default that somebody gave at
    this start, by flag or variable, wins over the model's.
    """
    given_now = SAMPLING.intersection(settings.given_now)
    known = {name: value for name, value in own.items() if name in OF_A_MODEL - given_now}
    changed = msgspec.structs.replace(settings, **{**known, "model": path, "alias": model_id})
    return msgspec.convert(msgspec.structs.asdict(changed), Settings)
