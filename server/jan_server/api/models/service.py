"""What can be done with models: list, get, start, stop, remove them."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from jan_server.answers import CallerGone, Frames
from jan_server.api.models.info import catalog_of, detail_of, info_of, read_headers
from jan_server.api.models.schemas import (
    Catalog,
    ModelAction,
    ModelDeleted,
    ModelInfo,
    ModelList,
    PullRequest,
    StartRequest,
)
from jan_server.errors import ApiError
from jan_server.inference.feed import ModelState
from jan_server.inference.pool import Pool
from jan_server.library.found import linked_model
from jan_server.library.progress import Progress
from jan_server.library.records import StoredModel
from jan_server.library.source import LocalSource, UrlSource, id_from, read_source
from jan_server.sse import frame

if TYPE_CHECKING:
    from jan_server.library.library import Library

__all__ = ["EventFeed", "all_models", "catalogs", "model_named", "pull", "remove", "start", "stop"]


async def all_models(pool: Pool, *, loaded: bool) -> ModelList:
    if pool.only is not None:
        infos = [info_of(await _only(pool), Path(), pool)]
    else:
        library = await pool.library.get()
        models = await library.models()
        await asyncio.to_thread(read_headers, models, library.root)
        infos = [info_of(model, library.root, pool) for model in models]
        there = {info.id for info in infos}
        downloads = library.downloads
        failed = [one for one in downloads.failed() if one.id not in there]
        infos += [_downloading(one.progress()) for one in (*downloads.running(), *failed)]
    if loaded:
        infos = [info for info in infos if (one := pool.resident(info.id)) and one.state == "ready"]
    first, last = (infos[0].id, infos[-1].id) if infos else (None, None)
    return ModelList(data=infos, first_id=first, last_id=last, total=len(infos))


async def model_named(pool: Pool, name: str) -> ModelInfo:
    """By id, alias or source. Raises 404."""
    if pool.only is not None and name == pool.only.id:
        return detail_of(await _only(pool), Path(), pool)
    library = await _library(pool, name)
    model = await library.find(name)
    if model is None and (running := library.downloads.find(name)) is not None:
        info = _downloading(running.progress())
        if info.state != "failed":
            info.state = "not_downloaded"
        return info
    model = model or await library.get(name)
    await asyncio.to_thread(read_headers, [model], library.root)
    return detail_of(model, library.root, pool)


async def pull(pool: Pool, asked: PullRequest) -> ModelAction:
    """Start to get a model, or wait until it is here."""
    text = asked.source_url or asked.url or asked.model or asked.id
    if not text:
        raise _wrong("source_url", "where is the model to come from?")
    is_named_apart = text != asked.id or bool(asked.source_url or asked.url or asked.model)
    model_id = (asked.id or "") if is_named_apart else ""
    if asked.filename is not None and not model_id:
        if not asked.filename or set(asked.filename) & set("/\\\0"):
            raise _wrong("filename", "is a name, not a path")
        model_id = id_from(asked.filename)
    source = read_source(text)
    is_near = isinstance(source, LocalSource) or (
        isinstance(source, UrlSource) and source.url.startswith("http:")
    )
    # Behind a proxy every caller seems to be here, and a trusted host says that there may be one.
    if is_near and (not pool.settings.is_local or pool.settings.trusted_host):
        message = "what lies on the server's side is not named by who calls from elsewhere"
        raise ApiError(403, "forbidden", f"source_url: {message}", param="source_url")
    library = await pool.library.get()
    pulled = await library.pull(
        source,
        model_id=model_id,
        sha256=(asked.sha256 or "").lower(),
        with_projector=bool(asked.mmproj),
        offline=pool.settings.offline,
    )
    if isinstance(pulled, StoredModel):
        return ModelAction(id=pulled.id, state="downloaded")
    if asked.wait:
        return ModelAction(id=(await pulled.done()).id, state="downloaded")
    return ModelAction(id=pulled.id, state="downloading")


async def remove(pool: Pool, name: str, *, force: bool) -> ModelDeleted:
    """Out of memory, then off the disk; or the download that runs is cancelled, or one that failed
    forgotten. Raises 404, and 409 where requests hold it and it is not forced.
    """
    if pool.only is not None and name == pool.only.id:
        raise ApiError(409, "in_use", f"'{name}' is what this server was started to serve")
    library = await _library(pool, name)
    running = library.downloads.find(name)
    if running is not None and running.state == "failed":
        library.downloads.forget(running)
        if await library.find(name) is None:
            return ModelDeleted(id=running.id)
    elif running is not None:
        running.cancel()
        return ModelDeleted(id=running.id)
    model = await library.get(name)
    is_alias = name in model.aliases
    resident = pool.resident(model.id)
    if resident is not None and not is_alias:
        if resident.n_holders and not force:
            message = f"{resident.n_holders} requests are answered by '{model.id}'; force=true"
            raise ApiError(409, "in_use", message)
        await pool.stop(model.id)
    removed = await library.remove(name)
    pool.names.clear()
    if not is_alias:
        pool.feed.tell_state(model.id, "deleted")
    return ModelDeleted(id=removed)


async def start(pool: Pool, name: str, asked: StartRequest) -> ModelAction:
    given = {"ctx_size": asked.ctx_len, "n_gpu_layers": asked.ngl, "parallel": asked.n_parallel}
    own: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    return ModelAction(id=await pool.start(name, own), state="running")


async def stop(pool: Pool, name: str) -> ModelAction:
    return ModelAction(id=await pool.stop(name), state="stopped")


async def catalogs(pool: Pool) -> list[Catalog]:
    if pool.only is not None:
        return [catalog_of(await _only(pool), Path(), pool)]
    library = await pool.library.get()
    models = await library.models()
    await asyncio.to_thread(read_headers, models, library.root)
    return [catalog_of(model, library.root, pool) for model in models]


class EventFeed:
    """What becomes of models, until the listener goes or the server ends."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._gone = asyncio.Event()

    def leave(self) -> None:
        self._gone.set()

    async def run(self, frames: Frames) -> None:
        gone = asyncio.ensure_future(self._gone.wait())
        library = self._pool.library.opened
        with self._pool.feed.listening() as queue:
            await frames.emit(b": listening\n\n")
            downloads = None if library is None else library.downloads
            if downloads is not None:
                for one in (*downloads.running(), *downloads.failed()):
                    await frames.emit(frame(one.progress(), "download"))
            try:
                while True:
                    told = asyncio.ensure_future(queue.get())
                    await asyncio.wait({told, gone}, return_when=asyncio.FIRST_COMPLETED)
                    if not told.done():
                        told.cancel()
                        raise CallerGone
                    what = told.result()
                    if what is None:
                        return
                    name = "model" if isinstance(what, ModelState) else "download"
                    await frames.emit(frame(what, name))
            finally:
                gone.cancel()


async def _only(pool: Pool) -> StoredModel:
    """What the one file says, which nobody put into the library."""
    assert pool.only is not None
    served = pool.only.served
    path = served.path.absolute()
    modified_ns = path.stat().st_mtime_ns if path.exists() else 0
    model = await asyncio.to_thread(_of_file, path, served.id, modified_ns)
    await asyncio.to_thread(read_headers, [model], Path())
    return model


@lru_cache(maxsize=4)
def _of_file(path: Path, model_id: str, _modified_ns: int) -> StoredModel:
    """Read once: a vocabulary is long, and clients ask often."""
    return msgspec.structs.replace(linked_model(path, model_id), id=model_id)


async def _library(pool: Pool, name: str) -> Library:
    """Of a server that has one file it is opened for nothing but what was downloaded meanwhile."""
    if pool.only is not None and pool.library.opened is None:
        raise ApiError(404, "model_not_found", f"There is no model '{name}'", param="model")
    return await pool.library.get()


def _downloading(progress: Progress) -> ModelInfo:
    """What is known of a model that is on its way, or did not come."""
    why = {"error": progress.error, "code": progress.code or ""} if progress.error else {}
    return ModelInfo(
        id=progress.id,
        created=0,
        source_url=progress.source,
        name=progress.id,
        description="",
        ctx_len=0,
        prompt_template="",
        max_tokens=0,
        author="",
        tags=[],
        size=progress.n_total or 0,
        state="failed" if progress.state == "failed" else "downloading",
        settings={},
        parameters={},
        metadata={"n_bytes": str(progress.n_bytes), "engine": "llamacpp", **why},
        assets=[],
    )


def _wrong(field: str, why: str) -> ApiError:
    return ApiError(400, "invalid_parameter", f"{field}: {why}", param=field)
