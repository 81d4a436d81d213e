"""A model as clients are told it, from its row or its file's header, and from where it is now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jan_server.api.models.schemas import Catalog, CatalogArchitecture, ModelInfo
from jan_server.config import Settings
from jan_server.inference.pool import Pool
from jan_server.inference.resident import own_settings
from jan_server.inference.sampling_defaults import (
    SamplingDefaults,
    file_sampling_at,
    sampling_defaults,
)
from jan_server.library.records import StoredModel

__all__ = ["catalog_of", "detail_of", "info_of", "read_headers"]

_LIST_STATES = {
    "waiting": "starting",
    "loading": "starting",
    "stopping": "stopping",
    "failed": "failed",
}
_DETAIL_STATES = {"ready": "running", "stopping": "stopped"}
_ASKED_ALWAYS = ["temperature", "top_p", "top_k", "min_p", "max_tokens", "stop", "seed"]


def info_of(model: StoredModel, root: Path, pool: Pool) -> ModelInfo:
    """As an item of the list. `root`: the folder that paths of managed models begin at."""
    settings = _settings(model, pool)
    usual = defaults_of(model, root, pool)
    n_ctx = min(settings.ctx_size or model.n_ctx_train, model.n_ctx_train)
    path = str(model.path(root))
    return ModelInfo(
        id=model.id,
        created=model.created_at,
        source_url=model.shown_source,
        name=model.name or model.id,
        description=model.description,
        ctx_len=model.n_ctx_train,
        prompt_template=_template(model, pool),
        temperature=usual.temperature,
        top_p=usual.top_p,
        frequency_penalty=usual.frequency_penalty,
        presence_penalty=usual.presence_penalty,
        max_tokens=n_ctx,
        author=model.author,
        tags=[tag for tag in (model.quantization, model.size_label) if tag],
        size=model.n_bytes,
        state=_list_state(model, root, pool),
        settings={
            "ctx_len": str(n_ctx),
            "ngl": str(settings.n_gpu_layers),
            "embedding": "true",
            "n_parallel": str(settings.parallel),
        },
        parameters={
            "temperature": f"{usual.temperature:g}",
            "token_limit": str(n_ctx),
            "top_k": str(usual.top_k),
            "top_p": f"{usual.top_p:g}",
            "min_p": f"{usual.min_p:g}",
            "repeat_penalty": f"{usual.repeat_penalty:g}",
            "presence_penalty": f"{usual.presence_penalty:g}",
            "frequency_penalty": f"{usual.frequency_penalty:g}",
            "stream": "false",
        },
        metadata={
            "architecture": model.architecture,
            "quantization": model.quantization,
            "bits_per_weight": f"{model.bits_per_weight:g}",
            "n_params": str(model.n_params),
            "size": model.size_label or _in_billions(model.n_params),
            "sha256": model.sha256,
            "license": model.license,
            "aliases": ",".join(model.aliases),
            "engine": "llamacpp",
            **_in_memory(model, pool),
        },
        assets=[path, *(str(root / file.path) for file in model.files[1:])],
    )


def detail_of(model: StoredModel, root: Path, pool: Pool) -> ModelInfo:
    """The same, in the words and numbers that a single model is told in."""
    info = info_of(model, root, pool)
    settings = _settings(model, pool)
    info.state = _detail_state(model, root, pool)
    numbers: dict[str, Any] = {
        "ctx_len": info.max_tokens,
        "ngl": settings.n_gpu_layers,
        "embedding": True,
        "n_parallel": settings.parallel,
    }
    info.parameters = {**info.parameters, **numbers}
    return info


def catalog_of(model: StoredModel, root: Path, pool: Pool) -> Catalog:
    usual = defaults_of(model, root, pool)
    calls_tools = "tools" in model.chat_template
    return Catalog(
        id=model.id,
        public_id=model.id,
        model_display_name=model.name or model.id,
        description=model.description,
        family=model.architecture,
        tags=[tag for tag in (model.quantization, model.size_label) if tag],
        context_length=model.n_ctx_train,
        architecture=CatalogArchitecture(tokenizer=model.architecture),
        supported_parameters={
            "names": [*_ASKED_ALWAYS, *(["tools", "tool_choice"] if calls_tools else [])],
            "default": {"temperature": usual.temperature, "top_p": usual.top_p},
        },
        supports_instruct=bool(model.chat_template),
        supports_tools=calls_tools,
        extras={"quantization": model.quantization, "source": model.shown_source},
        created_at=model.created_at,
        updated_at=model.created_at,
        last_synced_at=model.created_at,
    )


def _template(model: StoredModel, pool: Pool) -> str:
    """The one in use, which may have been given beside the file."""
    resident = pool.resident(model.id)
    if resident is not None and resident.served.is_ready:
        return resident.served.template_source
    return model.chat_template


def defaults_of(model: StoredModel, root: Path, pool: Pool) -> SamplingDefaults:
    """How its tokens are chosen where a request does not say. `read_headers` comes before."""
    resident = pool.resident(model.id)
    if resident is not None and resident.served.is_ready:
        return resident.served.sampling
    return sampling_defaults(_settings(model, pool), file_sampling_at(model.path(root)))


def read_headers(models: Sequence[StoredModel], root: Path) -> None:
    """So that `defaults_of` need not, which is for the event loop. For another thread."""
    for model in models:
        file_sampling_at(model.path(root))


def _settings(model: StoredModel, pool: Pool) -> Settings:
    resident = pool.resident(model.id)
    if resident is not None:
        return resident.served.settings
    return own_settings(pool.settings, "", model.id, model.settings)


def _in_memory(model: StoredModel, pool: Pool) -> dict[str, str]:
    """For `jan ps`; nothing for what is not in memory."""
    resident = pool.resident(model.id)
    if resident is None:
        return {}
    left_s = resident.leaves_in_s
    return {
        "memory_state": resident.state,
        "memory_bytes": str(resident.n_bytes or model.n_bytes),
        "requests": str(resident.n_holders),
        "leaves_in_s": "" if left_s is None else f"{left_s:.0f}",
    }


def _list_state(model: StoredModel, root: Path, pool: Pool) -> str | None:
    resident = pool.resident(model.id)
    if resident is not None:
        return _LIST_STATES.get(resident.state, "ready")
    return "ready" if model.is_here(root) else None


def _detail_state(model: StoredModel, root: Path, pool: Pool) -> str:
    resident = pool.resident(model.id)
    if resident is not None:
        return _DETAIL_STATES.get(resident.state, "downloaded")
    if not model.is_here(root):
        return "not_downloaded"
    return "stopped" if model.id in pool.stopped else "downloaded"


def _in_billions(n_params: int) -> str:
    return f"{n_params / 1e9:.2g}B" if n_params else ""
