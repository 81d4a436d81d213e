"""/lora-adapters: what may be added to a model's weights, request by request.

Reading and setting scales is llama-server's; loading and unloading is ours.
"""

from __future__ import annotations

from pathlib import Path

from litestar import delete, get, post, put
from litestar.params import FromPath, FromQuery, RawBody

from jan_engine import InvalidRequest, ModelError
from jan_server.api.adapters.schemas import AdapterInfo, LoadAdapter, ScalesSet
from jan_server.errors import ApiError
from jan_server.home import adapters_folder
from jan_server.inference.adapters import LoadedAdapter, LoraScale
from jan_server.requests import HttpRequest, Models, RouteFacts, describe, read, read_all

__all__ = ["HANDLERS"]


@get("/lora-adapters", opt=describe(RouteFacts(tag="Models", gives=AdapterInfo, gives_list=True)))
async def list_adapters(pool: Models, model: FromQuery[str | None] = None) -> list[AdapterInfo]:
    """The adapters of a model in memory."""
    return [_shown(one) for one in (await pool.lease(model)).adapters.all()]


@post(
    "/lora-adapters",
    opt=describe(RouteFacts(tag="Models", reads=LoraScale, reads_list=True, gives=ScalesSet)),
    status_code=200,
)
async def set_scales(
    body: RawBody, request: HttpRequest, pool: Models, model: FromQuery[str | None] = None
) -> ScalesSet:
    """How strong each is for requests that do not say: a list of ids and scales; the rest get 0."""
    scales = await read_all(LoraScale, body, request)
    (await pool.lease(model)).adapters.set_scales(scales)
    return ScalesSet()


@put("/lora-adapters", opt=describe(RouteFacts(tag="Models", reads=LoadAdapter, gives=AdapterInfo)))
async def load_adapter(
    body: RawBody, request: HttpRequest, pool: Models, model: FromQuery[str | None] = None
) -> AdapterInfo:
    """Load one from JAN_HOME/adapters. Requests ask for it by its id or name."""
    asked = await read(LoadAdapter, body, request)
    served = await pool.lease(model)
    path = _file(adapters_folder(pool.home), asked.file)
    try:
        loaded = await served.adapters.load(served.model, path, asked.scale, asked.name)
    except ModelError as error:  # the server's model is well; it is this file that is not
        raise ApiError(400, "bad_adapter_file", f"file: {error}", param="file") from None
    return _shown(loaded)


@delete(
    "/lora-adapters/{adapter:str}",
    opt=describe(RouteFacts(tag="Models", gives=AdapterInfo)),
    status_code=200,
)
async def unload_adapter(
    adapter: FromPath[str], pool: Models, model: FromQuery[str | None] = None
) -> AdapterInfo:
    """Forget one, by its id or name. Requests that run with it go on."""
    adapters = (await pool.lease(model)).adapters
    named = int(adapter) if adapter.isascii() and adapter.isdecimal() else adapter
    gone = adapters.unload(named)
    if gone is None:
        raise ApiError(404, "adapter_not_found", f"There is no adapter '{adapter}'")
    return _shown(gone)


def _file(folder: Path, name: str) -> Path:
    """A name from elsewhere becomes no path: it is one of those that are there."""
    there = {path.name: path for path in folder.glob("*.gguf")} if folder.is_dir() else {}
    found = there.get(name) or there.get(f"{name}.gguf")
    if found is None:
        raise InvalidRequest(f"file: there is no {name!r} in JAN_HOME/adapters")
    return found


def _shown(one: LoadedAdapter) -> AdapterInfo:
    return AdapterInfo(
        id=one.id,
        name=one.name,
        path=str(one.adapter.path),
        scale=one.scale,
        size=one.adapter.n_bytes,
    )


HANDLERS = [list_adapters, set_scales, load_adapter, unload_adapter]
