"""GET /slots: how many places there are, for clients that look for a free one."""

from __future__ import annotations

import msgspec
from litestar import get
from litestar.params import FromQuery

from jan_server.errors import ApiError
from jan_server.requests import Models, RouteFacts, describe

__all__ = ["slots"]


class Slot(msgspec.Struct, kw_only=True):
    """A place has no name and keeps nothing of its own, since prefixes are found by content: so
    the first ones are those that are busy.
    """

    id: int
    id_task: int = -1  # none is told: requests are not bound to places
    n_ctx: int
    speculative: bool
    is_processing: bool


@get("/slots", opt=describe(RouteFacts(tag="Models", gives=Slot, gives_list=True)))
async def slots(pool: Models, fail_on_no_slot: FromQuery[bool] = False) -> list[Slot]:
    """Every place a request can run in. With `fail_on_no_slot` 503 if all are busy."""
    engine = pool.current().engine
    n_busy = engine.stats()["n_running"]
    places = range(engine.core.n_parallel)
    if fail_on_no_slot and n_busy >= len(places):
        raise ApiError(503, "server_overloaded", "Every slot is busy", headers={"Retry-After": "1"})
    return [
        Slot(
            id=i,
            n_ctx=engine.core.n_ctx,
            speculative=engine.options.speculation,
            is_processing=i < n_busy,
        )
        for i in places
    ]
