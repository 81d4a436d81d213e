"""What may be asked of a generation, whatever its prompt is made from: OpenAI's fields, llama.cpp's
and vLLM's, on their way to the engine. docs/api-compatibility.md says what each does.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from jan_engine import CompiledConstraint, Request, Sampling, TokenRules
from jan_server.errors import ApiError
from jan_server.ids import ModelName
from jan_server.inference.adapters import Adapters, LoraScale
from jan_server.security.principal import Principal

__all__ = [
    "GenerationFields",
    "StreamOptions",
    "cut_prompt",
    "engine_request",
    "refuse_what_is_missing",
    "token_limit",
]

_NO_PING_S = 365 * 86400.0

StopText = Annotated[str, Meta(max_length=1024)]
BadWord = Annotated[str, Meta(max_length=128)]  # tokenised on the event loop
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Bias = float | bool
Count = Annotated[int, Meta(ge=0, lt=2**31)]


class StreamOptions(msgspec.Struct, forbid_unknown_fields=True):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None  # no effect: nothing is padded
    continuous_usage_stats: bool | None = None  # vLLM's: refused


class GenerationFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """null means the same as absent. Defaults are in `sampling_of` and `engine_request`."""

    model: ModelName | None = None  # may be left out where there is only one
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=0)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=0)] | None = None
    n_predict: Annotated[int, Meta(ge=-2)] | None = None
    min_tokens: Count | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    n_cmpl: Annotated[int, Meta(ge=1, le=128)] | None = None  # llama-server's name of n
    stop: StopText | Annotated[list[StopText], Meta(max_length=16)] | None = None
    include_stop_str_in_output: bool | None = None
    no_stop_trim: bool | None = None  # SGLang's name of it
    seed: int | None = None  # below 0: random
    ignore_eos: bool | None = None
    stop_token_ids: Annotated[list[int], Meta(max_length=64)] | None = None
    allowed_token_ids: Annotated[list[int], Meta(max_length=8192)] | None = None
    bad_words: Annotated[list[BadWord], Meta(max_length=256)] | None = None

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
    adaptive_target: Annotated[float, Meta(le=1)] | None = None
    adaptive_decay: Annotated[float, Meta(ge=0, le=0.99)] | None = None
    min_keep: Count | None = None
    samplers: list[str] | str | None = None  # a text: llama-server's letters
    logit_bias: (
        dict[str, Bias] | Annotated[list[tuple[int | str, Bias]], Meta(max_length=1024)] | None
    ) = None
    logit_bias_type: Literal["input_ids", "tokens"] | None = None

    n_probs: Annotated[int, Meta(ge=0, le=100)] | None = None
    post_sampling_probs: bool | None = None
    prompt_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    return_tokens: bool | None = None
    timings_per_token: bool | None = None
    return_progress: bool | None = None
    response_fields: list[str] | None = None
    sse_ping_interval: Annotated[int, Meta(ge=-1, lt=2**31)] | None = None  # seconds; -1: none
    cache_prompt: bool | None = None
    cache_salt: Annotated[str, Meta(max_length=256)] | None = None
    deterministic: bool | None = None  # equal requests get equal answers, at a price
    n_keep: Annotated[int, Meta(ge=-1)] | None = None
    id_slot: Annotated[int, Meta(ge=-1)] | None = None  # a hint: prefixes are found by content
    t_max_predict_ms: Annotated[int, Meta(ge=0)] | None = None
    n_indent: Annotated[int, Meta(ge=0)] | None = None
    truncate_prompt_tokens: Annotated[int, Meta(ge=-1)] | None = None
    skip_special_tokens: bool | None = None

    grammar: str | None = None
    json_schema: dict[str, Any] | bool | str | None = None
    response_format: dict[str, Any] | None = None
    regex: str | None = None
    ebnf: str | None = None
    guided_json: dict[str, Any] | str | None = None
    guided_json_object: bool | None = None
    guided_regex: str | None = None
    guided_choice: Annotated[list[str], Meta(max_length=4096)] | None = None
    guided_grammar: str | None = None
    structured_outputs: dict[str, Any] | None = None
    lora: list[LoraScale] | None = None
    multimodal_data: list[str] | None = None

    @property
    def tells_more_than_text(self) -> bool:
        """A stream's chunks differ in more than their text."""
        return bool(
            self.return_tokens
            or self.timings_per_token
            or self.return_progress
            or self.response_fields
        )

    @property
    def n_choices(self) -> int:
        return self.n or self.n_cmpl or 1

    @property
    def stop_texts(self) -> list[str]:
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [text for text in given if text]

    @property
    def shown_stops(self) -> frozenset[str]:
        """Stop texts that stay in the answer."""
        shows = self.include_stop_str_in_output or self.no_stop_trim
        return frozenset(self.stop_texts) if shows else frozenset()

    def ping_s(self, usual_s: float) -> float:
        """Silence in a stream after which a comment is sent."""
        given = self.sse_ping_interval
        if given is None:
            return usual_s
        return max(1.0, float(given)) if given >= 0 else _NO_PING_S


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
    shown_tokens: tuple[int, ...] = (),
    rules: TokenRules | None = None,
) -> Request:
    n_keep = fields.n_keep or 0
    tenant = principal.tenant
    return Request(
        prompt=prompt,
        max_tokens=max_tokens,
        stop=fields.stop_texts,
        adapters=adapters.for_request(fields.lora),
        sampling=sampling,
        ignore_eos=bool(fields.ignore_eos),
        logprobs=n_top,
        prompt_logprobs=n_top_of_prompt,
        t_max_predict_ms=fields.t_max_predict_ms or 0,
        n_indent=fields.n_indent or 0,
        post_sampling_logprobs=bool(fields.post_sampling_probs),
        cache_prompt=fields.cache_prompt is not False,
        deterministic=fields.deterministic is True,
        cache_salt=f"{tenant}/{fields.cache_salt}" if fields.cache_salt else tenant,
        caller=tenant,
        shift_context=shift_context,
        constraint=constraint,
        progress=bool(fields.return_progress),
        n_keep=len(prompt) if n_keep < 0 else n_keep,
        shown_tokens=shown_tokens,
        rules=rules,
    )


def token_limit(fields: GenerationFields, default: int | None, usual: int) -> int | None:
    """The most tokens to generate; None: as many as the context holds. `usual`: the server's, which
    counts before the API's default unless it is below 0.
    """
    for given in (fields.max_completion_tokens, fields.max_tokens):
        if given is not None:
            return given
    if fields.n_predict is not None:
        return fields.n_predict if fields.n_predict >= 0 else None
    return default if usual < 0 else usual


def cut_prompt(fields: GenerationFields, tokens: list[int], n_ctx: int) -> list[int]:
    """The last `truncate_prompt_tokens` of them; -1: as many as leave room for one token."""
    most = fields.truncate_prompt_tokens
    if most is None:
        return tokens
    if most == 0:
        raise _wrong("truncate_prompt_tokens", "0 leaves no prompt")
    return tokens[-(most if most > 0 else max(1, n_ctx - 1)) :]


def refuse_what_is_missing(fields: GenerationFields, n_parallel: int) -> None:
    """A field that asks for what this server cannot do is an error, not a surprise."""
    if fields.multimodal_data:
        raise _wrong("multimodal_data", "the model reads text only")
    if fields.id_slot is not None and fields.id_slot >= n_parallel:
        raise _wrong("id_slot", f"must be below {n_parallel}")
    options = fields.stream_options
    if options is not None and options.continuous_usage_stats:
        why = "usage comes in the last chunk, with include_usage"
        raise _wrong("stream_options", f"continuous_usage_stats: {why}")
    if fields.prompt_logprobs is not None and fields.stream:
        raise _wrong("prompt_logprobs", "not in a stream")


def _wrong(param: str, message: str) -> ApiError:
    return ApiError(400, "invalid_parameter", f"{param}: {message}", param=param)
