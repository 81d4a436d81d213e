"""From a source to a model in our folder: one try, on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from jan_engine.errors import ModelError
from jan_engine.gguf import read_header
from jan_server.errors import ApiError
from jan_server.library.facts import header_facts, model_headers
from jan_server.library.folder import ModelsFolder
from jan_server.library.hub import find_on_hub
from jan_server.library.progress import DownloadState, FileProgress, Meter
from jan_server.library.records import ModelFile, StoredModel
from jan_server.library.source import HubSource, UrlSource, id_from
from jan_server.library.transfer import Fetch, fetch, open_client

__all__ = ["Order", "download"]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    source: HubSource | UrlSource
    id: str = ""  # "": by the file's name
    sha256: str = ""  # of the first file
    with_projector: bool = False
    offline: bool = False


def download(
    order: Order,
    folder: ModelsFolder,
    *,
    stop: threading.Event,
    meter: Meter,
    on_state: Callable[[DownloadState], None],
) -> tuple[Path, StoredModel]:
    """A partial folder in which every file of a model is whole and checked, and what the model is.
    Its paths are names in that folder. Raises ApiError, or Stopped.
    """
    if order.offline:
        raise ApiError(503, "offline", f"{order.source.text}: the server is told to stay offline")
    wanted, projector = _wanted(order)
    on_state("downloading")
    all_files = [*wanted, *([projector] if projector else [])]
    meter.expect([FileProgress(name=one.name, n_total=one.n_bytes) for one in all_files])
    partial = folder.partial(order.source.key)
    files: list[ModelFile] = []
    with open_client() as client:
        for index, one in enumerate(all_files):
            path = partial / _local_name(index, len(wanted))
            counted = False

            def on_bytes(n_bytes: int, n_total: int | None, index: int = index) -> None:
                nonlocal counted
                meter.count(index, n_bytes, n_total, first=not counted)
                counted = True

            sha256 = fetch(one, path, client=client, stop=stop, on_bytes=on_bytes)
            n_bytes = path.stat().st_size
            is_projector = index >= len(wanted)
            files.append(
                ModelFile(path=path.name, n_bytes=n_bytes, sha256=sha256, is_projector=is_projector)
            )
    on_state("checking")
    try:
        headers = model_headers(partial / files[0].path)
        if projector is not None:
            read_header(partial / files[-1].path)
    except ModelError as error:
        for file in files:  # the whole file is here and is wrong: going on would never help
            (partial / file.path).unlink(missing_ok=True)
        code = "not_gguf" if "not a GGUF" in error.message else "bad_model_file"
        raise ApiError(400, code, f"{wanted[0].name}: {error.message}") from error
    model = StoredModel(
        id=order.id or id_from(wanted[0].name),
        placement="managed",
        source=order.source.key,
        files=files,
        created_at=int(time.time()),
        **header_facts(headers),
    )
    return partial, model


def _wanted(order: Order) -> tuple[list[Fetch], Fetch | None]:
    if isinstance(order.source, HubSource):
        wanted, projector = find_on_hub(order.source, with_projector=order.with_projector)
    else:
        wanted, projector = _parts_of(order.source.url), None
    if order.sha256:
        wanted[0] = msgspec.structs.replace(wanted[0], sha256=order.sha256)
    return wanted, projector


def _parts_of(url: str) -> list[Fetch]:
    """One address, or as many as its name says it has parts."""
    path = urlsplit(url).path
    name = path.rpartition("/")[2] or "the file"
    stem, of, rest = name.rpartition("-of-")
    first, dash, index = stem.rpartition("-")
    count = rest.removesuffix(".gguf")
    is_part = of and dash and len(index) == len(count) == 5 and (index + count).isdigit()
    if not is_part:
        return [Fetch(url=url, name=name)]
    names = [f"{first}-{i:05}-of-{count}.gguf" for i in range(1, int(count) + 1)]
    return [Fetch(url=url.replace(name, one), name=one) for one in names]


def _local_name(index: int, n_parts: int) -> str:
    """Ours, whatever the file is called where it comes from."""
    if index >= n_parts:
        return "projector.gguf"
    return "model.gguf" if n_parts == 1 else f"model-{index + 1:05}-of-{n_parts:05}.gguf"
