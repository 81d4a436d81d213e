"""The low-rank adapters of one model in memory, and which of them a request is computed with."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from jan_engine import Adapter, InvalidRequest, Model
from jan_server.errors import ApiError

__all__ = ["Adapters", "LoadedAdapter", "LoraScale", "read_adapter_flag"]

MAX_ADAPTERS = 64


class LoraScale(msgspec.Struct):
    id: int | str  # or its name
    scale: float


class LoadedAdapter(msgspec.Struct):
    id: int
    adapter: Adapter
    scale: float  # for requests that say nothing
    name: str = ""  # under which it was asked for; its own otherwise

    def __post_init__(self) -> None:
        self.name = self.name or self.adapter.name


class Adapters:
    """Belongs to the event loop, but for `open`, which comes before it is known."""

    def __init__(self) -> None:
        self._loaded: dict[int, LoadedAdapter] = {}
        self._next_id = 0
        self._loading = asyncio.Lock()

    def all(self) -> list[LoadedAdapter]:
        return list(self._loaded.values())

    def open(self, model: Model, files: tuple[str, ...], *, apply: bool) -> None:
        """What the settings name: FILE or FILE:SCALE each, as llama-server also with commas."""
        for file in ",".join(files).split(",") if files else ():
            path, scale = read_adapter_flag(file)
            self._add(Adapter(model, path), scale if apply else 0.0, "")

    async def load(self, model: Model, path: Path, scale: float, name: str) -> LoadedAdapter:
        """From now on requests may ask for it. Raises what reading the file raises."""
        async with self._loading:
            if len(self._loaded) >= MAX_ADAPTERS:
                raise InvalidRequest(f"file: there are {MAX_ADAPTERS} adapters already")
            adapter = await asyncio.to_thread(Adapter, model, path)
            if self._found(name or adapter.name) is not None:
                raise InvalidRequest(f"name: there is an adapter {name or adapter.name!r} already")
            return self._add(adapter, scale, name)

    def unload(self, named: int | str) -> LoadedAdapter | None:
        """Requests that run with it keep it until they end."""
        found = self._found(named)
        return None if found is None else self._loaded.pop(found.id)

    def set_scales(self, asked: list[LoraScale]) -> None:
        """For requests that say nothing. Those that are not named get 0. Raises 400."""
        scales = {self._named(one.id).id: one.scale for one in asked}
        for one in self._loaded.values():
            one.scale = scales.get(one.id, 0.0)

    def for_request(self, asked: list[LoraScale] | None) -> tuple[tuple[Adapter, float], ...]:
        """Raises 400 where it names one that is not there, or one twice."""
        if asked is None:
            return tuple((one.adapter, one.scale) for one in self._loaded.values() if one.scale)
        named = [(self._named(one.id).adapter, one.scale) for one in asked]
        if len({id(adapter) for adapter, _ in named}) != len(named):
            raise _wrong("lora: an adapter is named twice")
        return tuple(named)

    def told(self, applied: tuple[tuple[Adapter, float], ...]) -> list[dict[str, float]]:
        """By id; one that was unloaded meanwhile has none any more and is left out."""
        ids = {id(one.adapter): one.id for one in self._loaded.values()}
        return [
            {"id": ids[id(adapter)], "scale": scale}
            for adapter, scale in applied
            if id(adapter) in ids
        ]

    def clear(self) -> None:
        self._loaded.clear()

    def _add(self, adapter: Adapter, scale: float, name: str) -> LoadedAdapter:
        added = LoadedAdapter(self._next_id, adapter, scale, name)
        self._next_id += 1
        self._loaded[added.id] = added
        return added

    def _named(self, named: int | str) -> LoadedAdapter:
        found = self._found(named)
        if found is None:
            raise _wrong(f"lora: there is no adapter {named!r}")
        return found

    def _found(self, named: int | str) -> LoadedAdapter | None:
        if isinstance(named, int):
            return self._loaded.get(named)
        return next((one for one in self._loaded.values() if one.name == named), None)


def _wrong(message: str) -> ApiError:
    return ApiError(400, "invalid_parameter", message, param="lora")


def read_adapter_flag(said: str) -> tuple[str, float]:
    """FILE:SCALE, where what follows the last colon is a number; otherwise a file at scale 1."""
    path, colon, number = said.rpartition(":")
    if colon and path:
        try:
            return path, float(number)
        except ValueError:
            pass
    return said, 1.0
