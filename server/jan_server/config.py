"""What the server can be told: each setting is a flag, an environment variable and a default."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

__all__ = ["OF_A_MODEL", "Settings"]

OF_A_MODEL = {  # settings that a model may have of its own
    "ctx_size",
    "parallel",
    "ubatch_size",
    "flash_attn",
    "threads",
    "n_gpu_layers",
    "cache_type",
    "context_shift",
    "chat_template",
    "reasoning_format",
    "speculation",
    "keep_alive",
    "lora",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
}


def _short(*flags: str) -> dict[str, object]:
    """Further spellings of a setting's flag, known from other servers."""
    return {"flags": flags}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One field per flag: `ctx_size` is --ctx-size and JAN_CTX_SIZE."""

    model: Annotated[
        str,
        Meta(
            description="a GGUF file, a model's name, or where to get one (hf:OWNER/REPO[:QUANT], "
            "https://...); without it every model on this machine can be asked"
        ),
    ] = ""
    alias: Annotated[
        str,
        Meta(
            description="the model's id in the API; its file's name otherwise",
            extra=_short("-a", "--served-model-name"),
        ),
    ] = ""
    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(description="port to listen on; 0: any", ge=0, le=65535)] = 1337
    parallel: Annotated[
        int,
        Meta(
            description="requests that run side by side",
            ge=1,
            le=256,
            extra=_short("-np", "--max-num-seqs"),
        ),
    ] = 8
    ctx_size: Annotated[
        int,
        Meta(
            description="tokens of the longest request; 0: as many as the model knows",
            ge=0,
            extra=_short("-c", "--max-model-len"),
        ),
    ] = 4096
    ubatch_size: Annotated[
        int, Meta(description="tokens of one forward pass", ge=1, extra=_short("-ub"))
    ] = 512
    batch_size: Annotated[
        int,
        Meta(
            description="llama-server's, without effect: what a pass costs says how much of a "
            "prompt is in it",
            ge=1,
            extra=_short("-b"),
        ),
    ] = 2048
    threads: Annotated[
        int, Meta(description="0: one per physical core", ge=0, extra=_short("-t"))
    ] = 0
    n_gpu_layers: Annotated[
        int, Meta(description="layers on the GPU; -1: all", ge=-1, extra=_short("-ngl"))
    ] = -1
    jan_kernels: Annotated[
        bool,
        Meta(
            description="matrix and attention kernels of our own on the CPU; otherwise llama.cpp's"
        ),
    ] = True
    cache_type: Annotated[
        Literal["f16", "q8_0", "q4_0"],
        Meta(description="numbers of the cache", extra=_short("-ctk", "--cache-type-k")),
    ] = "f16"
    cache_type_v: Annotated[
        Literal["", "f16", "q8_0", "q4_0"],
        Meta(description="of its values; only what cache-type is", extra=_short("-ctv")),
    ] = ""
    flash_attn: Annotated[
        Literal["auto", "on", "off"],
        Meta(description="the attention kernel; auto: by what it costs here", extra=_short("-fa")),
    ] = "auto"
    context_shift: Annotated[
        bool, Meta(description="forget the middle of a text when the context is full")
    ] = False
    chat_template: Annotated[
        str, Meta(description="Jinja in place of the file's own template, or chatml")
    ] = ""
    chat_template_file: Annotated[str, Meta(description="a file that has it")] = ""
    reasoning_format: Annotated[
        Literal["auto", "none", "deepseek"],
        Meta(description="none leaves a model's reasoning in its answer's content"),
    ] = "auto"
    speculation: Annotated[
        bool, Meta(description="guess ahead what a text repeats, where that pays")
    ] = True
    lora: Annotated[
        tuple[str, ...],
        Meta(
            description="a low-rank adapter of the model, FILE or FILE:SCALE; may be repeated",
            extra=_short("--lora-scaled"),
        ),
    ] = ()
    lora_init_without_apply: Annotated[
        bool, Meta(description="adapters apply only to requests that name them")
    ] = False
    temperature: Annotated[
        float, Meta(description="of requests that do not say", ge=0, le=2, extra=_short("--temp"))
    ] = 0.8
    top_k: Annotated[int, Meta(description="the same", ge=-1)] = 40
    top_p: Annotated[float, Meta(description="the same", ge=0, le=1)] = 0.95
    min_p: Annotated[float, Meta(description="the same", ge=0, le=1)] = 0.05
    repeat_penalty: Annotated[float, Meta(description="the same", gt=0)] = 1.1
    presence_penalty: Annotated[float, Meta(description="the same", ge=-2, le=2)] = 0.0
    frequency_penalty: Annotated[float, Meta(description="the same", ge=-2, le=2)] = 0.0
    api_key: Annotated[
        tuple[str, ...], Meta(description="a key that callers must show; may be repeated")
    ] = ()
    trusted_host: Annotated[
        tuple[str, ...],
        Meta(description="a name by which callers may reach this server; may be repeated"),
    ] = ()
    cors_origin: Annotated[
        tuple[str, ...],
        Meta(description="a web page's origin that may call, or *; may be repeated"),
    ] = ()
    insecure: Annotated[
        bool, Meta(description="listen on other addresses than this machine's without a key")
    ] = False
    home: Annotated[str, Meta(description="where models and state are kept")] = ""
    models_dir: Annotated[
        tuple[str, ...],
        Meta(
            description="a folder of models that is listed too, huggingface or ollama, until "
            "`jan rm` forgets it; may be repeated"
        ),
    ] = ()
    models_max: Annotated[
        int, Meta(description="models in memory side by side; 0: no limit", ge=0)
    ] = 4
    models_memory_mb: Annotated[
        int, Meta(description="what they may take together; 0: most of what is free", ge=0)
    ] = 0
    keep_alive: Annotated[
        float,
        Meta(
            description="seconds after which a model that nobody asks leaves memory; -1: never",
            ge=-1,
        ),
    ] = 300.0
    pin: Annotated[
        tuple[str, ...],
        Meta(description="a model that is loaded at once and stays; may be repeated"),
    ] = ()
    load_wait: Annotated[
        float, Meta(description="seconds a request waits for its model to be loaded", ge=0)
    ] = 60.0
    offline: Annotated[bool, Meta(description="download nothing")] = False
    max_queued_requests: Annotated[
        int, Meta(description="more waiting requests are turned away", ge=0)
    ] = 1024
    max_queued_tokens: Annotated[
        int,
        Meta(
            description="more waiting prompt tokens are turned away; 0: no limit",
            ge=0,
        ),
    ] = 1_000_000
    max_body_mb: Annotated[int, Meta(description="larger requests are refused", ge=1)] = 64
    ping_s: Annotated[
        float, Meta(description="silence in a stream after which a comment is sent", gt=0)
    ] = 15.0
    shutdown_timeout: Annotated[
        float, Meta(description="seconds that running requests get when the server ends", ge=0)
    ] = 10.0
    validation_status: Annotated[
        Literal[0, 400, 422],
        Meta(description="status for wrong values; 0: 422 where OpenAI's clients expect it"),
    ] = 0
    reply_details: Annotated[
        bool, Meta(description="generation_settings, prompt and timings in whole answers")
    ] = True
    ui: Annotated[bool, Meta(description="a page to talk to the model, at /")] = True
    ssl_certfile: Annotated[str, Meta(description="a certificate, to serve HTTPS")] = ""
    ssl_keyfile: Annotated[str, Meta(description="its private key")] = ""
    ssl_keyfile_password: Annotated[str, Meta(description="the key's password")] = ""
    otlp_endpoint: Annotated[
        str, Meta(description="where spans go, as http://HOST:4318; needs the extra otel")
    ] = ""
    log_requests: Annotated[bool, Meta(description="a line per request")] = True
    log_format: Annotated[Literal["human", "json"], Meta(description="of lines on stderr")] = (
        "human"
    )
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="the least that is said")
    ] = "info"

    @property
    def is_local(self) -> bool:
        """Only this machine can reach the server."""
        return self.host in {"127.0.0.1", "::1", "localhost"}
