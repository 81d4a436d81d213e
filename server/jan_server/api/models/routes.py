"""/v1/models: the model that is served."""

from __future__ import annotations

from litestar import get
from litestar.params import FromPath

from jan_server.api.models.schemas import ModelInfo, ModelList
from jan_server.api.models.service import model_info
from jan_server.requests import RouteFacts, Served, describe

__all__ = ["get_model", "list_models"]


@get("/v1/models", opt=describe(RouteFacts(tag="Models", gives=ModelList)))
async def list_models(served: Served) -> ModelList:
    """The models that can be asked."""
    info = model_info(served)
    return ModelList(data=[info], first_id=info.id, last_id=info.id, total=1)


@get("/v1/models/{model_id:path}", opt=describe(RouteFacts(tag="Models", gives=ModelInfo)))
async def get_model(model_id: FromPath[str], served: Served) -> ModelInfo:
    """One of them."""
    return model_info(served.named(model_id.removeprefix("/")))
