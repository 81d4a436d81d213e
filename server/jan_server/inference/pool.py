"""Which models are in memory: one that was named at the start, or those that are asked for.

A request holds its model until its last byte. A model is loaded once however many ask for it; to
make room the one goes that was used longest ago and that nobody holds, or is not given to anybody
new until nobody does. Belongs to the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import Any

from jan_engine import EngineError
from jan_engine.gguf import check_model
from jan_server.config import Settings
from jan_server.errors import ApiError
from jan_server.home import home_of
from jan_server.inference.feed import Feed
from jan_server.inference.load_errors import given_up, load_failure, still_loading
from jan_server.inference.resident import Resident, own_settings
from jan_server.inference.room import Room, planned_bytes, who_may_go
from jan_server.inference.served_model import ServedModel
from jan_server.inference.text_work import TextWork
from jan_server.library.lazy import LazyLibrary
from jan_server.library.records import StoredModel
from jan_server.telemetry.record import current_record

__all__ = ["Pool"]

_log = logging.getLogger("jan_server")
_MOST_NAMES = 256
_NAME_S = 1.0  # an alias may be given to another model by another process


class Pool:
    def __init__(self, settings: Settings, *, with_demo: bool = False) -> None:
        """`with_demo`: the package's own model is served where there is no other."""
        self.settings = settings
        self.feed = Feed()
        self.home = home_of(settings.home)
        self.library = LazyLibrary(self.home, self.feed.tell_progress, with_demo=with_demo)
        self.text_work = TextWork(settings.max_queued_requests)
        self.draining = False
        self._is_open = False  # the library is, and what is pinned is in memory
        self.started_s = time.time()
        self.failure: Exception | None = None  # why there is nothing to serve
        self.stopped: set[str] = set()  # ids of models that were in memory and are no more
        self._residents: dict[str, Resident] = {}
        self._overrides: dict[str, dict[str, Any]] = {}  # from whoever started a model
        self._making_room = asyncio.Lock()
        self._changed = asyncio.Event()
        self.names: dict[str, tuple[str, float]] = {}  # whose alias, and until when that is sure
        self._room = Room(settings)
        self._ending: set[asyncio.Task[None]] = set()
        self.only: Resident | None = None  # of a server that was given one file
        if settings.model:
            self.only = Resident(settings, self.text_work, pinned=True, own={})
            self._residents[self.only.id] = self.only

    @property
    def is_ready(self) -> bool:
        if self.draining:
            return False
        return self._is_open if self.only is None else self.only.served.is_ready

    @property
    def is_loading(self) -> bool:
        """The model that the server was started with is not there yet."""
        return self.only is not None and self.only.state in ("waiting", "loading")

    @property
    def is_alive(self) -> bool:
        return all(one.served.is_alive for one in self._residents.values())

    def residents(self) -> list[Resident]:
        """In the order they came."""
        return list(self._residents.values())

    def resident(self, model_id: str) -> Resident | None:
        return self._residents.get(model_id)

    def stats(self) -> dict[str, Any] | None:
        """Of the one engine there is; None while there is none, or several."""
        served = [one.served for one in self._residents.values()]
        return served[0].stats() if len(served) == 1 else None

    def begin(self) -> None:
        """Start to load what was named, if anything was: there may be no loop yet."""
        if self.only is not None:
            self.only.served.begin()

    async def open(self) -> None:
        """Until what was named is loaded; or the library is open, and what is pinned loaded."""
        if self.only is not None:
            self.only.state = "loading"
            await self.only.served.load()
            self.failure = self.only.served.failure
            self.only.state = "ready" if self.failure is None else "failed"
            if self.failure is None:
                self.only.n_bytes = self.only.served.n_bytes
            return
        try:
            library = await self.library.get()
            await library.scan()
            for folder in self.settings.models_dir:
                await library.register(folder)
            for name in self.settings.pin:
                await self.start(name, {})
            self._is_open = True
        except (ApiError, OSError) as error:
            self.failure = error

    def drain(self) -> None:
        """Nobody new is let in."""
        self.draining = True
        self.feed.close()

    async def close(self) -> None:
        """End every request and every load there is. May be called again."""
        self.drain()
        self.text_work.close()
        self._changed.set()
        for one in self.residents():
            if one.expiry is not None:
                one.expiry.cancel()
            await one.served.close()
            if one.loading is not None:
                await asyncio.wait({one.loading})
        await asyncio.gather(*self._ending)
        await self.library.close()

    def current(self) -> ServedModel:
        """The one that was named, or used last. Raises 503 while there is none."""
        if self.only is not None and self.only.id in self._residents:
            return self.only.served
        ready = [one for one in self._residents.values() if one.state == "ready"]
        if not ready:
            message = "No model is in memory; a request that names one loads it"
            raise ApiError(503, "model_not_ready", message, headers={"Retry-After": "1"})
        return max(ready, key=lambda one: one.used_s).served

    async def lease(self, name: str | None) -> ServedModel:
        """That model, until the request that asks has ended. Raises 404; 503 while it is loaded for
        longer than a request waits, and to whoever comes when the server is about to end.
        """
        if self.draining:
            headers = {"Retry-After": "1", "Connection": "close"}  # so that it looks elsewhere
            raise ApiError(
                503, "service_unavailable", "The server is about to end", headers=headers
            )
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self.settings.load_wait
        while True:
            resident = await self._resident(name)
            if not resident.is_on_its_way:
                break
            await self._wait(resident, deadline_s)
        record = current_record()
        if record is not None:
            resident.hold()
            record.at_end.append(lambda: self._let_go(resident))
            self._changed.set()
        return resident.served

    async def start(self, name: str, own: dict[str, Any]) -> str:
        """Its id, once it is in memory, with these settings where any are given. Raises 404, 409
        for one without a file, 503 for one that does not load.
        """
        if own:
            model_id = await self._id_of(name)
            there = self._residents.get(model_id)
            if there is not None and own.items() <= there.own.items():
                return model_id
            self._overrides[model_id] = own
            await self.stop(model_id)
        while True:
            resident = await self._resident(name)
            if not resident.is_on_its_way:
                return resident.id
            await self._wait(resident, None)

    async def stop(self, name: str) -> str:
        """Its id, once it has left memory. Requests that hold it get the time that they have when
        the server ends.
        """
        model_id = await self._id_of(name)
        resident = self._residents.get(model_id)
        if resident is not None:
            if resident.loading is not None and resident.state in ("waiting", "loading"):
                await resident.served.close()  # gives the load up
                self._changed.set()
                await asyncio.wait({resident.loading})
            elif resident.state == "stopping":
                await resident.gone.wait()
            else:
                await self._unload(resident, self.settings.shutdown_timeout)
        return model_id

    async def _id_of(self, name: str) -> str:
        if name in self._residents:
            return name
        if self.only is not None and name == self.only.id:
            return name
        return (await self._stored(name)).id

    async def _stored(self, name: str) -> StoredModel:
        if self.only is not None:
            raise ApiError(404, "model_not_found", f"There is no model '{name}'", param="model")
        return await (await self.library.get()).get(name)

    async def _resident(self, name: str | None) -> Resident:
        """That model as it is, or from now on on its way in."""
        if not name:
            name = await self._unnamed()
        there = self._residents.get(name)
        if there is None:
            if self.only is not None and name == self.only.id:
                own = self._overrides.get(name, {})
                settings = own_settings(self.settings, self.settings.model, name, own)
                return self._add(settings, own, pinned=True)
            model_id, until_s = self.names.get(name, ("", 0.0))
            if time.monotonic() < until_s and model_id in self._residents:
                return self._residents[model_id]
            model = await self._stored(name)
            there = self._residents.get(model.id)
            if there is None:
                there = await self._admit(model)
            if len(self.names) > _MOST_NAMES:
                self.names.clear()
            self.names[name] = (model.id, time.monotonic() + _NAME_S)
        return there

    async def _unnamed(self) -> str:
        """The one that can be meant: the one that is served, the only one in memory, or the only
        one there is. Raises 400 where there are several.
        """
        if self.only is not None:
            return self.only.id
        if len(self._residents) == 1:
            return next(iter(self._residents))
        if not self._residents:
            there = await (await self.library.get()).models()
            if len(there) == 1:
                return there[0].id
        raise ApiError(400, "invalid_parameter", "Parameter 'model' is required", param="model")

    async def _admit(self, model: StoredModel) -> Resident:
        library = await self.library.get()
        if not model.is_here(library.root):
            message = f"The files of '{model.id}' are not on this machine"
            raise ApiError(409, "not_downloaded", message, param="model")
        own = {**model.settings, **self._overrides.get(model.id, {})}
        settings = own_settings(self.settings, str(library.path(model)), model.id, own)
        pinned = bool({model.id, *model.aliases} & set(self.settings.pin))
        return self._add(settings, own, pinned=pinned)

    def _add(self, settings: Settings, own: dict[str, Any], *, pinned: bool) -> Resident:
        resident = Resident(settings, self.text_work, pinned=pinned, own=own)
        self._residents[resident.id] = resident
        if self.only is not None:
            self.only = resident
        resident.loading = asyncio.create_task(self._load(resident))
        resident.loading.add_done_callback(_heard)
        return resident

    async def _load(self, resident: Resident) -> None:
        """Raises why not; then it is as if it had never been asked for."""
        try:
            headers = await asyncio.to_thread(check_model, resident.served.path)
            resident.n_bytes = planned_bytes(headers, resident.served.settings)
            async with self._making_room:
                await self._make_room(resident)
                resident.state = "loading"
            self.feed.tell_state(resident.id, "loading")
            await resident.served.load()
            if resident.served.failure is not None:
                raise resident.served.failure
            if self.draining or resident.served.draining:
                raise given_up(resident.id)
            resident.n_bytes = resident.served.n_bytes
        except (EngineError, ApiError, OSError) as error:
            await resident.served.close()
            await resident.served.release()
            resident.state = "failed"
            self._forget(resident)
            shown = error if isinstance(error, ApiError) else load_failure(resident.id, error)
            _log.warning("%s", shown.message)
            self.feed.tell_state(resident.id, "failed")
            raise shown from error
        resident.state = "ready"
        self.stopped.discard(resident.id)
        self._changed.set()
        self._expire_later(resident)
        self.feed.tell_state(resident.id, "ready")

    async def _wait(self, resident: Resident, deadline_s: float | None) -> None:
        """Until it is in memory, or no more on its way out."""
        loop = asyncio.get_running_loop()
        resident.n_waiting += 1
        leaving = resident.state == "stopping"
        waited: asyncio.Future[Any] | None = resident.loading
        if leaving or waited is None:
            waited = asyncio.ensure_future(resident.gone.wait())
        try:
            timeout_s = None if deadline_s is None else max(0.0, deadline_s - loop.time())
            done, _ = await asyncio.wait({waited}, timeout=timeout_s)
            if not done:
                raise still_loading(resident)
            waited.result()
        finally:
            resident.n_waiting -= 1
            self._changed.set()
            if waited is not resident.loading:
                waited.cancel()

    async def _make_room(self, wanted: Resident) -> None:
        """Raises 503 where there can never be any."""
        while True:
            if self.draining or wanted.served.draining:
                raise given_up(wanted.id)
            others = [one for one in self._residents.values() if one is not wanted]
            if self._room.fits(wanted, others):
                return
            self._changed.clear()
            victim = who_may_go(others)
            if victim is not None:
                await self._unload(victim, None)
            elif all(one.pinned or one.state == "waiting" for one in others):
                message = f"There is no room for '{wanted.id}' beside the models that are to stay"
                raise ApiError(503, "out_of_memory", message)
            else:
                await self._changed.wait()

    async def _unload(self, resident: Resident, drain_s: float | None) -> None:
        """Nobody new gets it; whoever holds it may end, for `drain_s` at most."""
        resident.state = "stopping"
        if resident.expiry is not None:
            resident.expiry.cancel()
        self.feed.tell_state(resident.id, "stopping")
        try:
            await asyncio.wait_for(resident.idle.wait(), drain_s)
        except TimeoutError:
            _log.info("%s: %d requests are ended", resident.id, resident.n_holders)
        await resident.served.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(resident.idle.wait(), self.settings.shutdown_timeout)
        await resident.served.release()
        self._forget(resident)
        self.stopped.add(resident.id)
        self.feed.tell_state(resident.id, "stopped")

    def _forget(self, resident: Resident) -> None:
        if self._residents.get(resident.id) is resident:
            del self._residents[resident.id]
        resident.gone.set()
        self._changed.set()

    def _let_go(self, resident: Resident) -> None:
        resident.let_go()
        if not resident.n_holders:
            self._changed.set()
            self._expire_later(resident)

    def _expire_later(self, resident: Resident) -> None:
        keep_s = resident.served.settings.keep_alive
        if resident.pinned or keep_s < 0 or resident.state != "ready":
            return
        if resident.expiry is not None:
            resident.expiry.cancel()
        loop = asyncio.get_running_loop()
        resident.expiry = loop.call_later(keep_s, self._expire, resident)

    def _expire(self, resident: Resident) -> None:
        if resident.state == "ready" and not resident.n_holders and not self.draining:
            task = asyncio.get_running_loop().create_task(self._unload(resident, None))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


def _heard(loading: asyncio.Task[None]) -> None:
    """Whoever waited was told; nobody may have."""
    if not loading.cancelled():
        loading.exception()
