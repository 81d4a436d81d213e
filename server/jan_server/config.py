"""What the server can be told: each setting is a flag, an environment variable and a default."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

__all__ = ["OF_A_MODEL", "SAMPLING", "Settings"]

SAMPLING = {  # settings that are defaults of requests
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
}

CacheType = Literal["f16", "bf16", "f32", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
OF_A_MODEL = {  # settings that a model may have of its own
    "ctx_size",
    "parallel",
    "ubatch_size",
    "flash_attn",
    "threads",
    "adapt_threads",
    "n_gpu_layers",
    "load_mode",
    "repack",
    "spm_infill",
    "pooling",
    "cache_type",
    "context_shift",
    "chat_template",
    "chat_template_kwargs",
    "reasoning",
    "reasoning_format",
    "n_predict",
    "speculation",
    "keep_alive",
    "lora",
    *SAMPLING,
}


def _short(*flags: str) -> dict[str, object]:
    """Further spellings of a setting's flag, known from other servers."""
    return {"flags": flags}


def _of_file(default: str, *flags: str) -> dict[str, object]:
    """Of a default that a model's file may have: what holds where it has none."""
    return {"flags": flags, "default": f"the model file's, else {default}"}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One field per flag: `ctx_size` is --ctx-size and JAN_CTX_SIZE. A help text is made of a
    description, which names the unit, and of the range and the default, which are read from here.
    """

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
            description="the model's id in the API; without it, its file's name",
            extra=_short("-a", "--served-model-name"),
        ),
    ] = ""
    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[
        tuple[Annotated[int, Meta(ge=0, le=65535)], ...],
        Meta(
            description="TCP ports to listen on, as 1337 or 1337,8080,8000; 0: any (default: 1337)",
            min_length=1,
        ),
    ] = (1337,)
    parallel: Annotated[
        int,
        Meta(
            description="requests that run side by side; more wait their turn",
            ge=1,
            le=256,
            extra=_short("-np", "--max-num-seqs"),
        ),
    ] = 8
    ctx_size: Annotated[
        int,
        Meta(
            description="tokens of the longest request, its answer included; 0: as many as the "
            "model was trained with. Each of --parallel requests may be so long, as far as memory "
            "holds their caches",
            ge=0,
            extra=_short("-c", "--max-model-len"),
        ),
    ] = 4096
    ubatch_size: Annotated[
        int, Meta(description="most tokens of one forward pass", ge=1, extra=_short("-ub"))
    ] = 512
    threads: Annotated[
        int,
        Meta(
            description="CPU threads that compute at most; 0: one per physical core",
            ge=0,
            extra=_short("-t"),
        ),
    ] = 0
    adapt_threads: Annotated[
        bool,
        Meta(
            description="compute with fewer threads while other processes hold cores and that is "
            "faster, and with all of --threads when cores are free again"
        ),
    ] = True
    n_gpu_layers: Annotated[
        int,
        Meta(
            description="layers whose weights lie on the GPU; -1: as many as fit",
            ge=-1,
            extra=_short("-ngl"),
        ),
    ] = -1
    load_mode: Annotated[
        Literal["mmap", "none", "mlock", "mmap+mlock"],
        Meta(
            description="how weights come into memory: mmap maps the file, none reads it, mlock "
            "keeps them from being swapped out",
            extra=_short("-lm"),
        ),
    ] = "mmap"
    check_tensors: Annotated[
        bool, Meta(description="read every weight at the start, and refuse NaN and infinity")
    ] = False
    repack: Annotated[
        bool,
        Meta(
            description="rearrange weights for the CPU's kernels: faster, and not mapped any more"
        ),
    ] = True
    jan_kernels: Annotated[
        bool,
        Meta(
            description="matrix and attention kernels of our own on the CPU; without, llama.cpp's"
        ),
    ] = True
    cache_type: Annotated[
        CacheType,
        Meta(
            description="type of the numbers in the cache of keys and values; smaller ones hold "
            "longer texts",
            extra=_short("-ctk", "--cache-type-k"),
        ),
    ] = "f16"
    cache_type_v: Annotated[
        Literal["", CacheType],
        Meta(
            description="type of the values alone; only what --cache-type is", extra=_short("-ctv")
        ),
    ] = ""
    flash_attn: Annotated[
        Literal["auto", "on", "off"],
        Meta(
            description="whether the flash kernel computes attention; auto: the faster one, timed "
            "at the start",
            extra=_short("-fa"),
        ),
    ] = "auto"
    context_shift: Annotated[
        bool,
        Meta(description="go on when the context is full, and forget the middle of the text"),
    ] = False
    chat_template: Annotated[
        str, Meta(description="Jinja in place of the file's own chat template, or chatml")
    ] = ""
    chat_template_file: Annotated[
        str, Meta(description="a file with Jinja in place of the model's own chat template")
    ] = ""
    chat_template_kwargs: Annotated[
        str,
        Meta(
            description="a JSON object that the chat template is given where a request does not "
            'say, as {"enable_thinking": false}'
        ),
    ] = ""
    reasoning: Annotated[
        Literal["auto", "on", "off"],
        Meta(
            description="whether a chat's template is asked for thoughts where a request does not "
            "say; auto is on",
            extra=_short("-rea"),
        ),
    ] = "auto"
    reasoning_format: Annotated[
        Literal["auto", "none", "deepseek"],
        Meta(
            description="where a model's reasoning goes: none leaves it in the content, the others "
            "put it into reasoning_content"
        ),
    ] = "auto"
    speculation: Annotated[
        bool, Meta(description="guess tokens that a text repeats, where that pays")
    ] = True
    spm_infill: Annotated[
        bool,
        Meta(description="around a gap, put what follows it first, as some models of code want"),
    ] = False
    pooling: Annotated[
        Literal["auto", "mean", "cls", "last"],
        Meta(description="how an embedding is made of its tokens' vectors; auto: as the file says"),
    ] = "auto"
    lora: Annotated[
        tuple[str, ...],
        Meta(
            description="a low-rank adapter of the model, FILE or FILE:SCALE",
            extra=_short("--lora-scaled"),
        ),
    ] = ()
    lora_init_without_apply: Annotated[
        bool, Meta(description="adapters apply only to requests that name them")
    ] = False
    # None: the model's file says, or inference/sampling_defaults.py does where it does not.
    temperature: Annotated[
        Annotated[float, Meta(ge=0, le=2)] | None,
        Meta(
            description="randomness of answers whose request does not say; 0: always the likeliest "
            "token",
            extra=_of_file("0.8", "--temp"),
        ),
    ] = None
    top_k: Annotated[
        Annotated[int, Meta(ge=-1)] | None,
        Meta(
            description="tokens to draw from, the likeliest, where a request does not say; 0: all",
            extra=_of_file("40"),
        ),
    ] = None
    top_p: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(
            description="probability that the tokens to draw from have together, where a request "
            "does not say; 1: all",
            extra=_of_file("0.95"),
        ),
    ] = None
    min_p: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(
            description="least probability to be drawn, as a share of the likeliest token's, where "
            "a request does not say; 0: any",
            extra=_of_file("0.05"),
        ),
    ] = None
    repeat_penalty: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(
            description="factor against the last 64 tokens, where a request does not say; 1: off",
            extra=_of_file("1.1, or 1 at temperature 0"),
        ),
    ] = None
    presence_penalty: Annotated[
        Annotated[float, Meta(ge=-2, le=2)] | None,
        Meta(
            description="taken from the logits of tokens that came, where a request does not say; "
            "0: off",
            extra={"default": "0"},
        ),
    ] = None
    frequency_penalty: Annotated[
        Annotated[float, Meta(ge=-2, le=2)] | None,
        Meta(
            description="taken from a token's logit for each time it came, where a request does "
            "not say; 0: off",
            extra={"default": "0"},
        ),
    ] = None
    # Of these, the ones that a flag or a variable gave: they win over what a model has of its own.
    given_now: tuple[str, ...] = ()
    n_predict: Annotated[
        int,
        Meta(
            description="most tokens of an answer whose request does not say; -1: until the model "
            "ends, of /v1/completions 16",
            ge=-1,
            extra=_short("-n", "--predict"),
        ),
    ] = -1
    api_key: Annotated[tuple[str, ...], Meta(description="a key that callers must show")] = ()
    trusted_host: Annotated[
        tuple[str, ...], Meta(description="a name by which callers may reach this server")
    ] = ()
    cors_origin: Annotated[
        tuple[str, ...], Meta(description="the origin of a web page that may call, or *")
    ] = ()
    insecure: Annotated[
        bool, Meta(description="listen on other addresses than this machine's without a key")
    ] = False
    home: Annotated[
        str,
        Meta(
            description="folder of models and state; without it, jan-engine in the system's "
            "folder for data"
        ),
    ] = ""
    models_dir: Annotated[
        tuple[str, ...],
        Meta(
            description="a folder whose models are listed too, huggingface or ollama, until "
            "`jan rm` forgets it"
        ),
    ] = ()
    models_max: Annotated[
        int, Meta(description="models in memory side by side; 0: no limit", ge=0)
    ] = 4
    models_memory_mb: Annotated[
        int,
        Meta(description="megabytes that models may take together; 0: most of what is free", ge=0),
    ] = 0
    keep_alive: Annotated[
        float,
        Meta(
            description="seconds after which a model that nobody asks leaves memory; -1: never",
            ge=-1,
        ),
    ] = 300.0
    pin: Annotated[
        tuple[str, ...], Meta(description="a model that is loaded at the start and stays")
    ] = ()
    load_wait: Annotated[
        float, Meta(description="seconds that a request waits for its model to be loaded", ge=0)
    ] = 60.0
    offline: Annotated[bool, Meta(description="download nothing")] = False
    max_queued_requests: Annotated[
        int, Meta(description="requests that may wait for their turn; more get a 503", ge=0)
    ] = 1024
    max_queued_tokens: Annotated[
        int,
        Meta(
            description="prompt tokens that may wait to be read; more get a 503; 0: no limit", ge=0
        ),
    ] = 1_000_000
    max_body_mb: Annotated[
        int, Meta(description="megabytes of the largest request; larger ones get a 413", ge=1)
    ] = 16
    max_connections: Annotated[
        int,
        Meta(
            description="connections at once, as far as the system allows so many files; beyond "
            "them those without a request give way",
            ge=16,
        ),
    ] = 8192
    ping_s: Annotated[
        float,
        Meta(description="seconds of silence in a stream after which a comment is sent", gt=0),
    ] = 15.0
    shutdown_timeout: Annotated[
        float,
        Meta(description="seconds that running requests have when the server ends", ge=0),
    ] = 10.0
    validation_status: Annotated[
        Literal[0, 400, 422],
        Meta(
            description="status for wrong values; 0: 422 where OpenAI's clients expect it, or 400"
        ),
    ] = 0
    reply_details: Annotated[
        bool, Meta(description="generation_settings, prompt and timings in whole answers")
    ] = True
    ui: Annotated[bool, Meta(description="a page to talk to the model, at /")] = True
    ssl_certfile: Annotated[
        str, Meta(description="file of a certificate in PEM, to serve HTTPS")
    ] = ""
    ssl_keyfile: Annotated[str, Meta(description="file of the certificate's private key")] = ""
    ssl_keyfile_password: Annotated[str, Meta(description="password of the private key")] = ""
    otlp_endpoint: Annotated[
        str, Meta(description="where spans go, as http://HOST:4318; needs the extra otel")
    ] = ""
    log_requests: Annotated[bool, Meta(description="a line on stderr per request")] = True
    log_format: Annotated[
        Literal["human", "json"], Meta(description="form of the lines on stderr")
    ] = "human"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="least important lines that are written"),
    ] = "info"

    @property
    def is_local(self) -> bool:
        """Only this machine can reach the server."""
        return self.host in {"127.0.0.1", "::1", "localhost"}
