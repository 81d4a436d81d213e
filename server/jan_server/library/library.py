"""The models on this machine: ours, those a person linked, those in other tools' folders."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from jan_engine.errors import ModelError, ModelNotFound
from jan_server.config import OF_A_MODEL, Settings
from jan_server.demo import DEMO_FILE, DEMO_ID
from jan_server.errors import ApiError
from jan_server.home import models_folder
from jan_server.library.download import Order
from jan_server.library.downloads import Download, Downloads
from jan_server.library.folder import ModelsFolder
from jan_server.library.found import (
    find_models,
    kind_of,
    known_folder,
    linked_model,
    packaged_model,
)
from jan_server.library.progress import Progress
from jan_server.library.records import StoredModel
from jan_server.library.source import LocalSource, Source, UrlSource, read_source
from jan_server.library.store import Store, open_store

__all__ = ["Library", "demo_model", "open_library"]

_log = logging.getLogger("jan_server")
_ID = re.compile(r"[A-Za-z0-9][\w.:/@+-]{0,199}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NO_IDS = {"catalogs", "providers", "events", "download", "start", "stop"}  # paths of the API


async def open_library(
    home: Path,
    tell: Callable[[Progress], None] = lambda _progress: None,
    packaged: StoredModel | None = None,
) -> Library:
    """Consistent, whatever ended the process before this one. Raises 500 where it cannot be. On a
    disk that is full or cannot be written it has what is there, and nothing can be changed.
    `packaged` is there as long as there is nothing else, and whenever it is named.
    """
    folder = await asyncio.to_thread(ModelsFolder, models_folder(home))
    store = await open_store(folder.root)
    if store.why_copied:
        _log.warning("models in %s can be read and not changed: %s", home, store.why_copied)
    library = Library(folder, store, tell, packaged)
    await library.reconcile()
    return library


def demo_model() -> StoredModel:
    return packaged_model(DEMO_FILE, DEMO_ID)


class Library:
    """Belongs to the event loop it was opened on."""

    def __init__(
        self,
        folder: ModelsFolder,
        store: Store,
        tell: Callable[[Progress], None],
        packaged: StoredModel | None,
    ) -> None:
        self._packaged = packaged
        self._folder = folder
        self._store = store
        self._reopening = asyncio.Lock()
        self.downloads = Downloads(folder, store, tell)

    @property
    def root(self) -> Path:
        return self._folder.root

    async def close(self) -> None:
        await self.downloads.close()
        await self._store.close()

    async def reconcile(self) -> None:
        """Files that have no row get one, rows that have no files go."""
        rows = await self._store.models()
        for model in rows:
            if model.placement == "managed" and not model.is_here(self.root):
                _log.warning("%s is gone from %s", model.id, self.root)
                await self._store.remove(model.id)
        listed = {model.files[0].path for model in rows}
        for model in await asyncio.to_thread(self._folder.unlisted, listed):
            await self._store.add(model, otherwise=model.id)
        await asyncio.to_thread(self._folder.empty_trash)
        await asyncio.to_thread(self._folder.drop_forgotten)

    async def models(self) -> list[StoredModel]:
        stored = await self._store.models()
        return [self._packaged] if self._packaged is not None and not stored else stored

    async def find(self, name: str) -> StoredModel | None:
        """By id, alias, or any way to write its source. An address may be without its query where
        that names one model.
        """
        found = await self._store.find(name)
        if found is None:
            try:
                source = read_source(name)
            except ApiError:
                source = None
            if source is not None:
                found = await self._store.find(source.key)
            if found is None and isinstance(source, UrlSource) and source.url == source.text:
                shown = [one for one in await self._store.models() if one.shown_source == name]
                found = shown[0] if len(shown) == 1 else None
        if found is None and self._packaged is not None and name == self._packaged.id:
            found = self._packaged
        return found

    async def get(self, name: str) -> StoredModel:
        """Raises 404."""
        found = await self.find(name)
        if found is None:
            raise ApiError(404, "model_not_found", f"There is no model '{name}'", param="model")
        return found

    def path(self, model: StoredModel) -> Path:
        return model.path(self.root)

    async def pull(
        self,
        source: Source,
        *,
        model_id: str = "",
        sha256: str = "",
        with_projector: bool = False,
        offline: bool = False,
    ) -> StoredModel | Download:
        """A model that is here, or a download that runs. Raises 400, 404, 409 or 503."""
        _check_id(model_id)
        if sha256 and not _SHA256.fullmatch(sha256):
            raise ApiError(
                400, "invalid_parameter", "sha256: 64 digits from 0 to f", param="sha256"
            )
        there = await self._store.find(source.key)
        if there is not None and there.is_here(self.root):
            if sha256:
                await self._check_hash(there, sha256)
            if with_projector and not any(file.is_projector for file in there.files):
                message = f"'{there.id}' is here without what reads images: remove it first"
                raise ApiError(409, "name_taken", message, param="mmproj")
            if model_id and model_id not in (there.id, *there.aliases):
                await self._to_change()
                await self._store.add_alias(model_id, there.id)
            return there
        await self._to_change()
        if model_id and (other := await self._store.find(model_id)) is not None:
            message = f"id: '{model_id}' is the model from {other.shown_source}"
            raise ApiError(409, "name_taken", message, param="id")
        if isinstance(source, LocalSource):
            return await self._link(Path(source.path), model_id, sha256)
        order = Order(
            source=source,
            id=model_id,
            sha256=sha256,
            with_projector=with_projector,
            offline=offline,
        )
        running = self.downloads.start(order)
        if sha256 and running.is_settled:  # it was checked against no hash, or another one
            await self._check_hash(await running.done(), sha256)
        return running

    async def register(self, name: str) -> list[StoredModel]:
        """List what another tool's folder holds. Raises 404 where it is none."""
        path = known_folder(name)
        if not path.is_dir():
            raise ApiError(404, "model_not_found", f"there is no folder {path}", param="source_url")
        await self._scan(str(path), kind_of(path))
        return [model for model in await self._store.models() if model.folder == str(path)]

    async def scan(self) -> None:
        """Look again into every registered folder."""
        for path, kind in (await self._store.folders()).items():
            await self._scan(path, kind)

    async def remove(self, name: str) -> str:
        """The id of what was removed: an alias alone, or a model with its files if they are ours,
        or a folder's registration. Raises 404, and 409 for a model in another tool's folder.
        """
        model = await self._store.find(name)
        if model is None:
            folder = str(known_folder(name))
            if folder in await self._store.folders():
                await self._to_change()
                await self._store.forget_folder(folder)
                return name
            model = await self.get(name)
        if name in model.aliases:
            await self._to_change()
            await self._store.remove_alias(name)
            return name
        _check_is_kept(model)
        if model.placement == "found":
            message = f"'{model.id}' is in {model.folder}, which another tool keeps"
            raise ApiError(409, "not_ours", message)
        if model.placement == "managed":
            try:
                await asyncio.to_thread(self._folder.discard, model)
            except OSError as error:
                raise _unchangeable(error.strerror or str(error)) from error
        # First of all the space: a row can only be changed where the disk has some. Of a process
        # that ends here the next one removes the row.
        await asyncio.to_thread(self._folder.empty_trash)
        await self._to_change()
        await self._store.remove(model.id)
        return model.id

    async def name(self, model_name: str, alias: str) -> StoredModel:
        """A further name. Raises 400, 404 or 409."""
        _check_id(alias)
        model = await self.get(model_name)
        _check_is_kept(model)
        await self._to_change()
        await self._store.add_alias(alias, model.id)
        return model

    async def set_settings(self, name: str, settings: Mapping[str, Any]) -> None:
        """What this model is loaded with in place of the server's own. None takes one back. Raises
        400 for what no model has of its own, and for a value that cannot be.
        """
        model = await self.get(name)
        settings = {key: _setting(key, value) for key, value in settings.items()}
        _check_is_kept(model)
        merged = {**model.settings, **settings}
        kept = {key: value for key, value in merged.items() if value is not None}
        await self._to_change()
        await self._store.set_settings(model.id, kept)

    async def _to_change(self) -> None:
        """Raises 507 where nothing can be changed. A disk that had no room may have some by now."""
        async with self._reopening:
            before = self._store
            if not before.why_copied:
                return
            try:
                await asyncio.to_thread(self._folder.make)
            except OSError as error:
                raise _unchangeable(error.strerror or str(error)) from error
            store = await open_store(self._folder.root)
            if store.why_copied:
                await store.close()
                raise _unchangeable(store.why_copied)
            self._store = self.downloads.store = store
            for path, kind in (await before.folders()).items():
                await self._scan(path, kind)
            await before.close()
            await self.reconcile()

    async def _check_hash(self, model: StoredModel, sha256: str) -> None:
        """Raises 409. Only a file of ours is known to be what it was when it was hashed."""
        found = model.sha256 if model.placement == "managed" else ""
        if not found:
            found = await asyncio.to_thread(_hash, self.path(model))
        if found != sha256:
            message = f"sha256: '{model.id}' is here already and has {found}"
            raise ApiError(409, "hash_mismatch", message, param="sha256")

    async def _link(self, path: Path, model_id: str, sha256: str) -> StoredModel:
        try:
            model = await asyncio.to_thread(linked_model, path, model_id)
        except ModelNotFound as error:
            raise ApiError(404, "model_not_found", error.message, param="source_url") from error
        except ModelError as error:
            message = f"{path}: {error.message}"
            raise ApiError(400, "not_gguf", message, param="source_url") from error
        if sha256:
            found = await asyncio.to_thread(_hash, path)
            if found != sha256:
                message = f"{path} has sha256 {found}, not {sha256}"
                raise ApiError(400, "hash_mismatch", message, param="sha256")
            first = msgspec.structs.replace(model.files[0], sha256=found)
            model = msgspec.structs.replace(model, files=[first, *model.files[1:]])
        return await self._store.add(model, otherwise="" if model_id else model.id)

    async def _scan(self, path: str, kind: str) -> None:
        models = await self._store.models()
        known = {model.files[0].path: model for model in models if model.folder == path}
        found = await asyncio.to_thread(find_models, Path(path), kind, known)
        await self._store.set_found(path, kind, found)


def _unchangeable(why: str) -> ApiError:
    return ApiError(507, "disk_full", f"models can be read and not changed here: {why}")


def _check_is_kept(model: StoredModel) -> None:
    if model.placement == "packaged":
        raise ApiError(409, "not_ours", f"'{model.id}' comes with jan-engine and stays as it is")


def _check_id(model_id: str) -> None:
    if model_id and (not _ID.fullmatch(model_id) or _NO_IDS & set(model_id.split("/"))):
        message = "id: letters, digits and . _ - : / @ +, and no word that is a path of the API"
        raise ApiError(400, "invalid_parameter", message, param="id")


def _setting(name: str, value: object) -> object:
    field = next((one for one in msgspec.structs.fields(Settings) if one.name == name), None)
    if field is None or name not in OF_A_MODEL:
        message = (
            f"{name}: a model has none of its own; it may have {', '.join(sorted(OF_A_MODEL))}"
        )
        raise ApiError(400, "invalid_parameter", message, param=name)
    try:
        return None if value is None else msgspec.convert(value, field.type, strict=False)
    except msgspec.ValidationError as error:
        raise ApiError(400, "invalid_parameter", f"{name}: {error}", param=name) from None


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
