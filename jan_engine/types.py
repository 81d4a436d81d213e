"""What goes into the engine and what comes out of it."""

from __future__ import annotations

import hashlib
from enum import IntEnum, StrEnum
from functools import partial
from typing import Any, NamedTuple

import msgspec

from jan_engine import _core, log
from jan_engine.adapter import MAX_SCALE, Adapter
from jan_engine.backend import build_info, devices
from jan_engine.constraint import (
    CompiledConstraint,
    Constraint,
    Triggers,
    compile_constraint,
    read_triggers,
)
from jan_engine.errors import EngineError, InvalidRequest, ModelError
from jan_engine.kernel import (
    TIMED,
    AttentionKernel,
    KernelReason,
    Timed,
    log_kernel,
    read_kernel,
)
from jan_engine.model import Model
from jan_engine.native_int import native_int, token_ids
from jan_engine.sampling import Sampling, read_sampling
from jan_engine.token_rules import ThoughtLimit, TokenRules, read_rules, read_thought

__all__ = [
    "Completion",
    "EngineOptions",
    "Event",
    "Finish",
    "FinishReason",
    "KvMode",
    "PromptProgress",
    "Request",
    "TokenLogprob",
    "Usage",
]


class KvMode(IntEnum):
    """How the cache is laid out; AUTO takes one pool when n_cells is scarce."""

    AUTO = -1
    UNIFIED = 0  # one pool of cells: what one sequence does not need another may use
    STREAMS = 1  # a part of its own for each sequence: faster when many run at once


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How an engine runs its model."""

    n_parallel: int = 8  # sequences at the same time; further requests wait
    n_ctx: int = 0  # tokens of the longest sequence; 0: what the model was trained for
    n_cells: int = 0  # tokens the whole cache holds; 0: n_parallel * n_ctx
    n_ubatch: int = 512  # tokens of one forward pass
    n_threads: int = 0  # that compute at most; 0: one per physical core
    adapt_threads: bool = True  # fewer compute while neighbours hold cores; the text is the same
    poll: int = 1  # 0 to 100: how long a worker watches for work before it sleeps
    kv_mode: KvMode = KvMode.AUTO
    cache_type: str = "f16"  # or q8_0, q4_0: a half or a quarter of the memory
    flash_attention: bool | None = None  # None: by what it costs here, timed at the start
    max_waiting: int = 1024  # more requests than this without a lane raise QueueFull
    token_gap_s: float = 0.01  # a prompt may delay the tokens of other streams to this gap,
    slowdown: float = 2.5  # or to this multiple of the gap when all decode
    speculation: bool = True  # guess what repeats, where that pays; the text is the same without
    # Spent at most on timing passes at the start; up to twice as much on timing attention kernels.
    calibrate_s: float = 1.0
    check_integrity: bool = False  # let the engine check its books after every step


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt and what to do with it."""

    prompt: str | list[int]
    max_tokens: int | None = None  # None: until the context is full
    stop: list[str] = []
    n_indent: int = 0  # the text ends before a line that begins with fewer spaces or tabs
    t_max_predict_ms: int = 0  # so long after the first token, once there was a new line; 0: no end
    sampling: Sampling | None = None  # None: always the most likely token
    constraint: Constraint | CompiledConstraint | None = None  # what the text has to be
    triggers: Triggers | None = None  # the constraint holds only from one of these on
    constraint_begun: str = ""  # what the prompt already holds of the text that it is about
    adapters: tuple[tuple[Adapter, float], ...] = ()  # each with its strength, 1 as it was trained
    rules: TokenRules | None = None
    thought: ThoughtLimit | None = None
    shown_tokens: tuple[int, ...] = ()  # in the text as they are written, though they are not text
    ignore_eos: bool = False
    logprobs: int | None = None  # of the chosen token, and of so many best ones beside it
    post_sampling_logprobs: bool = False  # among what the samplers left, not all the model says
    prompt_logprobs: int | None = None  # the same of the prompt's own tokens, but of the first
    prompt_logprobs_from: int = 0  # of its tokens from here on: what is before may be reused
    cache_prompt: bool = True  # False: reuses nothing and leaves nothing to reuse
    # The same request gets the same tokens and log-probabilities, bit for bit, whatever else runs.
    # Its rows have passes of their own: it takes longer and delays others. Sampling takes a seed.
    deterministic: bool = False
    cache_salt: str = ""  # equal prompts share work only under equal salts
    caller: str = ""  # callers take turns
    shift_context: bool = False  # forget the middle instead of ending when the context is full
    n_keep: int = 0  # prompt tokens that a shift spares
    speculate: bool = True  # False: no guesses for this one
    stream: bool = True  # False: everything comes in the last event
    progress: bool = False  # while streaming, events before the first token tell how far it is


class FinishReason(StrEnum):
    STOP = "stop"  # the model ended its turn, or a stop string was met
    LENGTH = "length"
    CANCELLED = "cancelled"
    FAILED = "failed"


_KERNELS = 3  # one more with every change to csrc/kernels that may change which is the better
_REASONS = tuple(FinishReason)  # enum class finish_reason in csrc/request.h, in its order


class TokenLogprob(NamedTuple):
    token: int
    logprob: float


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What the request took."""

    n_prompt: int
    n_generated: int
    n_cached: int  # prompt tokens found in the cache
    n_evaluated: int  # prompt tokens computed for this request
    n_parked: int  # times it gave way when the cache was full
    n_drafted: int  # tokens guessed ahead, each of which took a row of a forward pass
    n_accepted: int  # of those, how many came
    truncated: bool  # the context was shifted
    queued_s: float  # before it got a lane
    prefill_s: float  # from there to the first token
    decode_s: float  # from the first token to the last


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    reason: FinishReason
    usage: Usage
    stop: str | None = None  # the stop string that was met
    error: EngineError | None = None  # with FAILED


class PromptProgress(NamedTuple):
    n_cached: int  # of the prompt's tokens, found in the cache
    n_read: int  # computed by now, those included
    seconds: float  # since the request got a lane


class Event(msgspec.Struct, kw_only=True):
    """What is new since the last one. Never a part of a stop string or of a character."""

    text: str
    tokens: list[int]
    # The chosen token's, then the best ones', for each token. Where samplers left fewer than were
    # asked for, the rest have token -1.
    logprobs: list[TokenLogprob]
    # The first event has them: one list per token of the prompt from prompt_logprobs_from on, the
    # token's own and then the best ones'. Of the very first, which nothing came before, it is None.
    prompt_logprobs: list[list[TokenLogprob] | None] | None = None
    progress: PromptProgress | None = None  # as the request asked, before the first token
    finish: Finish | None = None  # the last event has it

    def extend(self, later: Event) -> None:
        self.text += later.text
        self.tokens += later.tokens
        self.logprobs += later.logprobs
        if later.prompt_logprobs is not None:
            self.prompt_logprobs = later.prompt_logprobs
        if later.progress is not None:
            self.progress = later.progress
        self.finish = later.finish


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer."""

    text: str
    tokens: list[int]
    logprobs: list[TokenLogprob]
    finish: Finish
    prompt_logprobs: list[list[TokenLogprob] | None] | None = None  # as in Event


# As _core tells it: request, text, tokens, their log-probabilities, the prompt's, how far that is,
# and at the end how it ended.
Told = tuple[
    int,
    str,
    list[int],
    list[tuple[int, float]],
    list[list[tuple[int, float]] | None] | None,
    tuple[int, int, float] | None,
    tuple[int, dict[str, Any], str, EngineError | None] | None,
]


def open_core(model: Model, options: EngineOptions) -> tuple[_core.Engine, AttentionKernel]:
    flash = options.flash_attention
    key = _kernel_key(model, options) if flash is None and options.calibrate_s else None
    known = None if key is None else TIMED.recall(key)
    if known is not None:
        flash = known.flash
    try:
        core = _core.Engine(
            model.core,
            n_parallel=native_int("n_parallel", options.n_parallel),
            n_ctx=native_int("n_ctx", options.n_ctx),
            n_positions=model.n_positions,
            n_cached_numbers=model.n_cached_numbers,
            n_cells=native_int("n_cells", options.n_cells),
            n_ubatch=native_int("n_ubatch", options.n_ubatch),
            n_threads=native_int("n_threads", options.n_threads),
            adapt_threads=options.adapt_threads,
            poll=native_int("poll", options.poll),
            kv_mode=options.kv_mode,
            cache_type=options.cache_type.encode(),
            flash_attention=-1 if flash is None else int(flash),
            max_waiting=native_int("max_waiting", options.max_waiting),
            token_gap_s=options.token_gap_s,
            slowdown=options.slowdown,
            speculation=options.speculation,
            calibrate_s=options.calibrate_s,
            check_integrity=options.check_integrity,
        )
    except ModelError as error:
        error.path = str(model.path)
        raise
    finally:
        log.forward()
    kernel = read_kernel(core)
    if known is not None:
        kernel = msgspec.structs.replace(
            kernel,
            reason=KernelReason.REMEMBERED,
            plain_s=known.plain_s,
            flash_s=known.flash_s,
        )
    elif key is not None and kernel.reason is not KernelReason.GIVEN and not kernel.failure:
        TIMED.remember(key, Timed(kernel.flash is True, kernel.plain_s, kernel.flash_s))
    log_kernel(kernel)
    return core, kernel


def _kernel_key(model: Model, options: EngineOptions) -> str:
    """Everything that decides which attention kernel is the better."""
    running = [
        getattr(options, name)
        for name in ("n_parallel", "n_ctx", "n_cells", "n_ubatch", "n_threads", "poll")
    ]
    rest = [options.kv_mode.value, options.cache_type, options.token_gap_s, options.slowdown]
    where = [device.description for device in devices()]
    how = [model.n_gpu_layers, model.matrix_kernels]
    parts = [_KERNELS, build_info(), where, how, model.facts, running, rest]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def submit(core: _core.Engine, model: Model, request: Request, prompt: list[int]) -> int:
    if request.max_tokens is not None and request.max_tokens < 0:
        raise InvalidRequest(f"max_tokens: {request.max_tokens} is negative")
    if request.logprobs is not None and request.logprobs < 0:
        raise InvalidRequest(f"logprobs: {request.logprobs} is negative")
    within = request.constraint
    if within is None and request.triggers is not None:
        raise InvalidRequest("triggers: there is no constraint for them to begin")
    if request.constraint_begun and (within is None or request.triggers is not None):
        raise InvalidRequest("constraint_begun: needs a constraint that holds from the beginning")
    if within is not None and not isinstance(within, CompiledConstraint):
        within = compile_constraint(core, within)
    if request.prompt_logprobs is not None and request.prompt_logprobs < 0:
        raise InvalidRequest(f"prompt_logprobs: {request.prompt_logprobs} is negative")
    return core.submit(
        token_ids("prompt", prompt),
        max_tokens=native_int(
            "max_tokens", -1 if request.max_tokens is None else request.max_tokens
        ),
        n_top=native_int("logprobs", -1 if request.logprobs is None else request.logprobs),
        logprobs_of_left=request.post_sampling_logprobs,
        prompt_top=native_int(
            "prompt_logprobs", -1 if request.prompt_logprobs is None else request.prompt_logprobs
        ),
        prompt_top_from=native_int("prompt_logprobs_from", request.prompt_logprobs_from),
        sampling=None
        if request.sampling is None
        else read_sampling(request.sampling, partial(model.tokenize, add_special=False)),
        n_indent=native_int("n_indent", request.n_indent),
        t_max_predict_ms=native_int("t_max_predict_ms", request.t_max_predict_ms),
        n_keep=native_int("n_keep", request.n_keep),
        shift_context=request.shift_context,
        ignore_eos=request.ignore_eos,
        cache_prompt=request.cache_prompt,
        deterministic=request.deterministic,
        speculate=request.speculate,
        stream=request.stream,
        progress=request.progress,
        cache_salt=request.cache_salt.encode(),
        caller=request.caller.encode(),
        stop=[text.encode() for text in request.stop],
        grammar=None if within is None else within.core,
        triggers_=None if request.triggers is None else read_triggers(request.triggers),
        begun=request.constraint_begun.encode("utf-8", "replace"),
        shown=token_ids("shown_tokens", list(request.shown_tokens)),
        adapters=_adapters(model, request.adapters),
        rules=read_rules(request.rules),
        thought=read_thought(request.thought),
    )


def _adapters(
    model: Model, asked: tuple[tuple[Adapter, float], ...]
) -> list[tuple[_core.Adapter, float]]:
    if len({id(adapter) for adapter, _ in asked}) != len(asked):
        raise InvalidRequest("adapters: one is named twice")
    for adapter, scale in asked:
        if adapter.model is not model:
            raise InvalidRequest(f"adapters: {adapter.path.name} was loaded for another model")
        if not abs(scale) <= MAX_SCALE:
            raise InvalidRequest(f"adapters: {scale} is no strength between ±{MAX_SCALE}")
    return [(adapter.core, scale) for adapter, scale in asked]


def read_event(told: Told) -> Event:
    _, text, tokens, logprobs, of_prompt, progress, ending = told
    named = [TokenLogprob(*pair) for pair in logprobs] if logprobs else []
    event = Event(text=text, tokens=tokens, logprobs=named)
    if of_prompt is not None:
        event.prompt_logprobs = [
            None if found is None else [TokenLogprob(*pair) for pair in found]
            for found in of_prompt
        ]
    if progress is not None:
        event.progress = PromptProgress(*progress)
    if ending is not None:
        reason, usage, stop, error = ending
        event.finish = Finish(
            reason=_REASONS[reason], usage=Usage(**usage), stop=stop or None, error=error
        )
    return event
