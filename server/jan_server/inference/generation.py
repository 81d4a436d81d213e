"""What may be asked of a generation, whatever its prompt is made from: OpenAI's fields and
llama.cpp's, on their way to the engine.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from jan_engine import CompiledConstraint, Model, Request, Sampler, Sampling
from jan_server.errors import ApiError
from jan_server.inference.adapters import Adapters, LoraScale
from jan_server.inference.served_model import ServedModel
from jan_server.security.principal import Principal

__all__ = [
    "GenerationFields",
    "StreamOptions",
    "engine_request",
    "refuse_what_is_missing",
    "sampling_of",
    "token_limit",
]

_SAMPLERS = {sampler.value: sampler for sampler in Sampler} | {
    "typ_p": Sampler.TYPICAL_P,
    "typical": Sampler.TYPICAL_P,
    "temp": Sampler.TEMPERATURE,
}
# The seed's default does not name the penalties and has a repeat_penalty of 1.1: where it is
# given, word for word, it stands for the default order.
_DEFAULT_SAMPLERS = ["dry", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"]
_N_SEEDS = 2**32 - 1

StopText = Annotated[str, Meta(max_length=1024)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Bias = float | bool
Value = TypeVar("Value")


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class GenerationFields(msgspec.Struct, kw_only=True):
    """null means the same as absent. Defaults are in `sampling_of` and `engine_request`."""

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=0)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=0)] | None = None
    n_predict: Annotated[int, Meta(ge=-2)] | None = None
    min_tokens: Annotated[int, Meta(ge=0)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    stop: StopText | Annotated[list[StopText], Meta(max_length=16)] | None = None
    seed: int | None = None  # below 0: random
    ignore_eos: bool | None = None
    user: str | None = None

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    dynatemp_range: Annotated[float, Meta(ge=0)] | None = None
    dynatemp_exponent: Annotated[float, Meta(ge=0)] | None = None
    top_k: int | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    typical_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_n_sigma: float | None = None
    xtc_probability: Annotated[float, Meta(ge=0, le=1)] | None = None
    xtc_threshold: Annotated[float, Meta(ge=0, le=1)] | None = None
    repeat_penalty: Annotated[float, Meta(gt=0)] | None = None
    repetition_penalty: Annotated[float, Meta(gt=0)] | None = None
    repeat_last_n: Annotated[int, Meta(ge=-1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    dry_multiplier: Annotated[float, Meta(ge=0)] | None = None
    dry_base: Annotated[float, Meta(ge=0)] | None = None
    dry_allowed_length: Annotated[int, Meta(ge=0)] | None = None
    dry_penalty_last_n: Annotated[int, Meta(ge=-1)] | None = None
    dry_sequence_breakers: list[str] | None = None
    mirostat: Literal[0, 1, 2] | None = None
    mirostat_mode: Literal[0, 1, 2] | None = None
    mirostat_tau: Annotated[float, Meta(ge=0)] | None = None
    mirostat_eta: Annotated[float, Meta(ge=0, le=1)] | None = None
    min_keep: Annotated[int, Meta(ge=0)] | None = None
    samplers: list[str] | None = None
    logit_bias: (
        dict[str, Bias] | Annotated[list[tuple[int | str, Bias]], Meta(max_length=1024)] | None
    ) = None

    n_probs: Annotated[int, Meta(ge=0, le=100)] | None = None
    post_sampling_probs: bool | None = None
    return_tokens: bool | None = None
    timings_per_token: bool | None = None
    return_progress: bool | None = None
    response_fields: list[str] | None = None
    cache_prompt: bool | None = None
    n_keep: Annotated[int, Meta(ge=-1)] | None = None
    id_slot: Annotated[int, Meta(ge=-1)] | None = None  # a hint: prefixes are found by content
    t_max_predict_ms: Annotated[int, Meta(ge=0)] | None = None
    n_indent: Annotated[int, Meta(ge=0)] | None = None
    grammar: str | None = None
    json_schema: dict[str, Any] | bool | None = None
    response_format: dict[str, Any] | None = None
    guided_choice: Annotated[list[str], Meta(max_length=4096)] | None = None
    lora: list[LoraScale] | None = None
    multimodal_data: list[str] | None = None

    @property
    def tells_more_than_text(self) -> bool:
        """A stream's chunks differ in more than their text."""
        return bool(self.return_tokens or self.timings_per_token or self.return_progress)


def sampling_of(fields: GenerationFields, served: ServedModel, choice: int) -> Sampling:
    """How the tokens of one choice are drawn. Raises 400 for a sampler or a token nobody knows."""
    usual = served.settings
    seed = fields.seed if fields.seed is not None and fields.seed >= 0 else None
    given: dict[str, Any] = {
        "temperature": _or(fields.temperature, usual.temperature),
        "dynatemp_range": fields.dynatemp_range,
        "dynatemp_exponent": fields.dynatemp_exponent,
        "top_k": _or(fields.top_k, usual.top_k),
        "top_p": _or(fields.top_p, usual.top_p),
        "min_p": _or(fields.min_p, usual.min_p),
        "typical_p": fields.typical_p,
        "top_n_sigma": fields.top_n_sigma,
        "xtc_probability": fields.xtc_probability,
        "xtc_threshold": fields.xtc_threshold,
        "repeat_penalty": _or(
            fields.repeat_penalty, _or(fields.repetition_penalty, usual.repeat_penalty)
        ),
        "repeat_last_n": fields.repeat_last_n,
        "presence_penalty": _or(fields.presence_penalty, usual.presence_penalty),
        "frequency_penalty": _or(fields.frequency_penalty, usual.frequency_penalty),
        "dry_multiplier": fields.dry_multiplier,
        "dry_base": fields.dry_base,
        "dry_allowed_length": fields.dry_allowed_length,
        "dry_penalty_last_n": fields.dry_penalty_last_n,
        "dry_sequence_breakers": _breakers(fields.dry_sequence_breakers),
        "mirostat": fields.mirostat_mode if fields.mirostat is None else fields.mirostat,
        "mirostat_tau": fields.mirostat_tau,
        "mirostat_eta": fields.mirostat_eta,
        "min_keep": fields.min_keep,
        "min_tokens": fields.min_tokens,
        "samplers": _samplers(fields.samplers),
        "logit_bias": _biases(fields, served.model),
        # Seeds have 32 bits here. The choices of a request differ, and differ the same each time.
        "seed": None if seed is None else (seed + choice) % _N_SEEDS,
    }
    return Sampling(**{name: value for name, value in given.items() if value is not None})


def engine_request(
    fields: GenerationFields,
    prompt: list[int],
    sampling: Sampling,
    principal: Principal,
    adapters: Adapters,
    *,
    max_tokens: int | None,
    n_top: int | None,
    shift_context: bool,
    constraint: CompiledConstraint | None = None,
    n_top_of_prompt: int | None = None,
) -> Request:
    stop = [fields.stop] if isinstance(fields.stop, str) else fields.stop or []
    n_keep = fields.n_keep or 0
    return Request(
        prompt=prompt,
        max_tokens=max_tokens,
        stop=[text for text in stop if text],
        adapters=adapters.for_request(fields.lora),
        sampling=sampling,
        ignore_eos=bool(fields.ignore_eos),
        logprobs=n_top,
        prompt_logprobs=n_top_of_prompt,
        t_max_predict_ms=fields.t_max_predict_ms or 0,
        n_indent=fields.n_indent or 0,
        post_sampling_logprobs=bool(fields.post_sampling_probs),
        cache_prompt=fields.cache_prompt is not False,
        cache_salt=principal.tenant,
        caller=principal.tenant,
        shift_context=shift_context,
        constraint=constraint,
        progress=bool(fields.return_progress),
        n_keep=len(prompt) if n_keep < 0 else n_keep,
    )


def token_limit(fields: GenerationFields, default: int | None) -> int | None:
    """The most tokens to generate; None: as many as the context holds."""
    for given in (fields.max_completion_tokens, fields.max_tokens):
        if given is not None:
            return given
    if fields.n_predict is not None:
        return fields.n_predict if fields.n_predict >= 0 else None
    return default


def refuse_what_is_missing(fields: GenerationFields, n_parallel: int) -> None:
    """A field that asks for what this server cannot do is an error, not a surprise."""
    if fields.multimodal_data:
        raise _wrong("multimodal_data", "the model reads text only")
    if fields.id_slot is not None and fields.id_slot >= n_parallel:
        raise _wrong("id_slot", f"must be below {n_parallel}")


def _or(value: Value | None, default: Value) -> Value:
    return default if value is None else value


def _wrong(param: str, message: str) -> ApiError:
    return ApiError(400, "invalid_parameter", f"{param}: {message}", param=param)


def _breakers(texts: list[str] | None) -> tuple[str, ...] | None:
    """The seed prints a newline as a backslash and an n; both are understood."""
    return None if texts is None else tuple("\n" if text == "\\n" else text for text in texts)


def _samplers(names: list[str] | None) -> tuple[Sampler, ...] | None:
    if names is None or names == _DEFAULT_SAMPLERS:
        return None
    unknown = [name for name in names if name not in _SAMPLERS]
    if unknown:
        raise _wrong("samplers", f"there is no {unknown[0]!r}")
    return tuple(_SAMPLERS[name] for name in names)


def _biases(fields: GenerationFields, model: Model) -> dict[int, float]:
    """By token id. A text stands for each of its tokens, `false` for a ban."""
    if not fields.logit_bias:
        return {}
    given = fields.logit_bias
    pairs = given.items() if isinstance(given, dict) else given
    biases: dict[int, float] = {}
    for key, bias in pairs:
        if bias is True:
            raise _wrong("logit_bias", "a bias is a number, or false")
        number = -math.inf if bias is False else float(bias)
        if number != -math.inf and not -100 <= number <= 100:
            raise _wrong("logit_bias", f"{number} is not between -100 and 100")
        for token in _tokens_of(key, model, are_ids=isinstance(given, dict)):
            biases[token] = biases.get(token, 0.0) + number
    return biases


def _tokens_of(key: int | str, model: Model, *, are_ids: bool) -> list[int]:
    if isinstance(key, int):
        return [key]
    if not are_ids:
        return model.tokenize(key, add_special=False)
    if not (key.isascii() and key.isdecimal() and len(key) < 10):
        raise _wrong("logit_bias", f"{key!r} is not a token id")
    return [int(key)]
