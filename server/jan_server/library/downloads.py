"""The downloads of this process: who asks for one that runs joins it; each can be cancelled."""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import msgspec

from jan_server.errors import ApiError
from jan_server.library.download import Order, download
from jan_server.library.folder import ModelsFolder
from jan_server.library.progress import DownloadState, Meter, Progress
from jan_server.library.records import StoredModel
from jan_server.library.source import HubSource, id_from
from jan_server.library.store import Store
from jan_server.library.transfer import Stopped

__all__ = ["Download", "Downloads"]

_log = logging.getLogger("jan_server")
_TELL_S = 0.5
_ASK_AGAIN_S = 0.5  # whether the other process that fetches the same is done
_MOST_AT_ONCE = 3
_FAILED_S = 3600.0  # that one which failed is shown
_MOST_FAILED = 32


class Download:
    """One that runs, or has run. Belongs to the event loop."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.id = order.id or _likely_id(order)
        self.state: DownloadState = "looking"
        self.error: ApiError | None = None
        self.failed_s = 0.0  # when, by the monotonic clock
        self.model: StoredModel | None = None  # once it is done
        self.sha256 = order.sha256  # that somebody wants; more may be known by whoever joins
        self.is_settled = False  # whatever is wanted of it from now on comes too late
        self.stop = threading.Event()
        self.meter = Meter()
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """What was received is kept, for whoever asks again."""
        self.stop.set()

    def progress(self) -> Progress:
        files, bytes_per_s = self.meter.read()
        totals = [file.n_total for file in files]
        n_bytes = sum(file.n_bytes for file in files)
        n_total = sum(n for n in totals if n is not None) if files and None not in totals else None
        left = None if n_total is None or not bytes_per_s else (n_total - n_bytes) / bytes_per_s
        return Progress(
            id=self.id,
            source=self.order.source.text,
            state=self.state,
            files=files,
            n_bytes=n_bytes,
            n_total=n_total,
            bytes_per_s=round(bytes_per_s, 1),
            eta_s=None if left is None else round(left, 1),
            error=self.error.message if self.error else None,
            code=self.error.code if self.error else None,
        )

    async def done(self) -> StoredModel:
        """Raises what it failed with."""
        assert self.task is not None
        await asyncio.shield(self.task)
        if self.error is not None:
            raise self.error
        assert self.model is not None
        return self.model


class Downloads:
    """`tell` hears of every change and, while something is received, twice a second."""

    def __init__(
        self, folder: ModelsFolder, store: Store, tell: Callable[[Progress], None]
    ) -> None:
        self._folder = folder
        self.store = store
        self._tell = tell
        self._running: dict[str, Download] = {}
        self._failed: dict[str, Download] = {}  # the last ones, until they are tried again
        self._turn = asyncio.Semaphore(_MOST_AT_ONCE)

    def running(self) -> list[Download]:
        return list(self._running.values())

    def failed(self) -> list[Download]:
        """Those of late that nobody has tried again, for whoever asks what became of them."""
        until_s = time.monotonic() - _FAILED_S
        self._failed = {k: one for k, one in self._failed.items() if one.failed_s > until_s}
        return list(self._failed.values())

    def find(self, name: str) -> Download | None:
        """By the id it will have, or its source; one that failed if none runs."""
        for one in [*self._running.values(), *self.failed()]:
            if name in (one.id, one.order.source.key, one.order.source.text):
                return one
        return None

    def forget(self, one: Download) -> None:
        """Shows one that failed no more."""
        self._failed.pop(one.order.source.key, None)

    def start(self, order: Order) -> Download:
        """That of the same source, if it runs. Raises 409 where it is to get another id or hash."""
        key = order.source.key
        if (there := self._running.get(key)) is not None and not there.stop.is_set():
            if order.id and order.id != there.id:
                message = f"id: it is being downloaded as '{there.id}' already"
                raise ApiError(409, "name_taken", message, param="id")
            if order.sha256 and there.sha256 not in ("", order.sha256):
                message = f"sha256: it is being downloaded already, with {there.sha256}"
                raise ApiError(409, "hash_mismatch", message, param="sha256")
            there.sha256 = there.sha256 or order.sha256
            return there
        one = Download(order)
        self._failed.pop(key, None)
        before = there.task if there is not None else None
        self._running[key] = one
        one.task = asyncio.create_task(self._run(key, one, before))
        return one

    async def close(self) -> None:
        """Cancel all, and wait until no thread writes any more."""
        running = self.running()
        for one in running:
            one.cancel()
        await asyncio.gather(*(one.task for one in running if one.task), return_exceptions=True)

    async def _run(self, key: str, one: Download, before: asyncio.Task[None] | None) -> None:
        try:
            if before is not None:
                await before  # the one that was cancelled: it has the partial file
            async with self._turn:
                self._told(one, "looking")
                one.model = await self._fetch(one)
            one.id = one.model.id
            self._told(one, "done")
        except Stopped:
            one.error = ApiError(409, "cancelled", "the download was cancelled")
            self._told(one, "cancelled")
        except ApiError as error:
            self._fail(key, one, error)
        except OSError as error:
            self._fail(key, one, _not_kept(one.order.source.text, error))
        except Exception:
            _log.exception("a download failed")
            message = "the download failed; the log says how"
            self._fail(key, one, ApiError(500, "internal_error", message))
        finally:
            if self._running.get(key) is one:
                del self._running[key]

    async def _fetch(self, one: Download) -> StoredModel:
        source = one.order.source
        loop = asyncio.get_running_loop()

        def on_state(state: DownloadState) -> None:
            loop.call_soon_threadsafe(self._told, one, state)

        async with self._alone(one):
            there = await self.store.find(source.key)
            if there is not None and there.is_here(self._folder.root):
                if one.sha256 not in ("", there.sha256):
                    raise _other_hash(source.text, there.sha256, one.sha256)
                one.is_settled = True
                return there  # another process was faster
            working = asyncio.create_task(
                asyncio.to_thread(
                    download,
                    one.order,
                    self._folder,
                    stop=one.stop,
                    meter=one.meter,
                    on_state=on_state,
                )
            )
            while not (await asyncio.wait({working}, timeout=_TELL_S))[0]:
                self._tell(one.progress())
            partial, model = await working
            if not one.order.id:  # what it is called is known by now
                owner = source.repo.partition("/")[0] + "/" if isinstance(source, HubSource) else ""
                otherwise = f"{owner}{model.id}"
            else:
                otherwise = ""
                await self._refuse_taken(one.order.id)
            if one.sha256 not in ("", model.sha256):  # whoever joined knew it
                (partial / model.files[0].path).unlink()
                raise _other_hash(source.text, model.sha256, one.sha256)
            # From here on it is seen through: a rename and a row.
            one.is_settled = True
            model = await asyncio.to_thread(self._folder.publish, partial, model)
            return await self.store.add(model, otherwise=otherwise)

    @asynccontextmanager
    async def _alone(self, one: Download) -> AsyncGenerator[None]:
        """Once no other process fetches this."""
        while True:
            with self._folder.fetching(one.order.source.key) as may:
                if may:
                    yield
                    return
            if await asyncio.to_thread(one.stop.wait, _ASK_AGAIN_S):
                raise Stopped

    async def _refuse_taken(self, model_id: str) -> None:
        if await self.store.find(model_id) is not None:
            raise ApiError(409, "name_taken", f"id: '{model_id}' is another model's", param="id")

    def _fail(self, key: str, one: Download, error: ApiError) -> None:
        one.error, one.failed_s = error, time.monotonic()
        if self._running.get(key) is one:
            self._failed[key] = one
            for oldest in list(self._failed)[:-_MOST_FAILED]:
                del self._failed[oldest]
        self._told(one, "failed")

    def _told(self, one: Download, state: DownloadState) -> None:
        one.state = state
        self._tell(one.progress())


def _not_kept(name: str, error: OSError) -> ApiError:
    message = f"{name} cannot be kept: {error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        return ApiError(507, "disk_full", message)
    return ApiError(500, "write_failed", message)


def _other_hash(name: str, found: str, wanted: str) -> ApiError:
    return ApiError(502, "hash_mismatch", f"{name} has sha256 {found}, not {wanted}")


def _likely_id(order: Order) -> str:
    """Until the file is known. Who asks meanwhile may use it."""
    source = order.source
    if isinstance(source, HubSource):
        return id_from(source.file or source.repo)
    return id_from(msgspec.structs.asdict(source)["url"].partition("?")[0])
