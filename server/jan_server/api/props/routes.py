"""GET /props: what llama.cpp's clients ask of a server before they start."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get

from jan_engine import Sampling
from jan_server.inference.details import fingerprint
from jan_server.inference.served_model import ServedModel
from jan_server.requests import Models, RouteFacts, describe

__all__ = ["props"]


class EngineFacts(msgspec.Struct, kw_only=True):
    """What was left open to the engine, as it settled it."""

    n_threads: int  # that compute at most
    n_decode_workers: int  # threads that computed the last pass of decoding streams; 0: none yet
    n_prefill_workers: int  # and the last one with a prompt
    n_ubatch: int  # tokens of one forward pass
    flash_attention: bool | None  # None: llama.cpp decides, by the device
    flash_attention_because: str
    matrix_kernels: bool
    speculation: bool
    cache_type: str


class Props(msgspec.Struct, kw_only=True):
    default_generation_settings: dict[str, Any]
    total_slots: int
    model_alias: str
    model_path: str
    chat_template: str
    bos_token: str
    eos_token: str
    build_info: str
    modalities: dict[str, bool]
    is_sleeping: bool = False  # a model that sleeps is not in memory, and its props are not told
    engine: EngineFacts | None  # None for a model that only makes vectors


@get("/props", opt=describe(RouteFacts(tag="Models", gives=Props)))
async def props(pool: Models) -> Props:
    """The model, its templates, and how many requests run side by side."""
    served = pool.current()
    model = served.model
    vocab = model.vocab

    def text(token: int) -> str:
        return model.piece(token, special=True).decode(errors="replace") if token >= 0 else ""

    return Props(
        default_generation_settings=_defaults_of(served),
        total_slots=served.settings.parallel,
        model_alias=served.id,
        model_path=str(served.path),
        chat_template=served.template_source,
        bos_token=text(vocab.bos),
        eos_token=text(vocab.eos),
        build_info=fingerprint(),
        modalities={"vision": False, "audio": False},
        engine=_facts_of(served),
    )


def _defaults_of(served: ServedModel) -> dict[str, Any]:
    """As llama-server has it: the context, and what is in force where a request does not say."""
    usual = msgspec.to_builtins(served.sampling)
    del usual["chosen"]
    usual["samplers"] = usual["samplers"] or list(Sampling().samplers)
    return {
        "n_ctx": served.n_ctx,
        "params": {**usual, "seed": -1, "stream": False, "max_tokens": -1, "n_predict": -1},
    }


def _facts_of(served: ServedModel) -> EngineFacts | None:
    engine = served.generator
    if engine is None:
        return None
    kernel = engine.attention_kernel
    stats = engine.stats()
    return EngineFacts(
        n_threads=engine.n_threads,
        n_decode_workers=stats["n_decode_workers"],
        n_prefill_workers=stats["n_prefill_workers"],
        n_ubatch=engine.options.n_ubatch,
        flash_attention=kernel.flash,
        flash_attention_because=str(kernel.reason),
        matrix_kernels=engine.model.matrix_kernels,
        speculation=engine.options.speculation,
        cache_type=engine.options.cache_type,
    )
