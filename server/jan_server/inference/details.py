"""What an answer says besides its text: usage, timings, and llama.cpp's further fields."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from msgspec import UNSET, UnsetType

from jan_engine import Model, PromptProgress, Usage, build_info
from jan_server.inference.choice import Choice
from jan_server.inference.generation import GenerationFields
from jan_server.inference.served_model import ServedModel

__all__ = [
    "Answer",
    "CompletionDetails",
    "PromptDetails",
    "ReadingProgress",
    "Timings",
    "TokenUsage",
    "add_details",
    "fingerprint",
    "generation_settings",
    "reading_progress",
    "selected",
    "timings_so_far",
    "usage_of",
]


_Answer = TypeVar("_Answer", bound=msgspec.Struct)


class PromptDetails(msgspec.Struct):
    cached_tokens: int


class CompletionDetails(msgspec.Struct):
    reasoning_tokens: int


class TokenUsage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails | UnsetType = UNSET


class Timings(msgspec.Struct, kw_only=True):
    """Of several choices: their tokens added up, the longest of their times."""

    # What the prompt took is known at the end.
    cache_n: int | UnsetType = UNSET
    prompt_n: int | UnsetType = UNSET
    prompt_ms: float | UnsetType = UNSET
    prompt_per_token_ms: float | UnsetType = UNSET
    prompt_per_second: float | UnsetType = UNSET
    predicted_n: int
    predicted_ms: float
    predicted_per_token_ms: float
    predicted_per_second: float


class ReadingProgress(msgspec.Struct, kw_only=True):
    """How much of a prompt has been read; in tokens, and since that began."""

    total: int
    cache: int  # that need not be computed again
    processed: int  # those included
    time_ms: int


class Answer(msgspec.Struct, kw_only=True):
    """What answers and their chunks have besides choices: OpenAI's fields, then llama.cpp's."""

    id: str
    object: str
    created: int
    model: str
    choices: list[Any]
    system_fingerprint: str
    usage: TokenUsage | UnsetType = UNSET
    tokens_predicted: int | UnsetType = UNSET
    tokens_evaluated: int | UnsetType = UNSET  # of the prompt, those from the cache included
    tokens_cached: int | UnsetType = UNSET  # of the prompt, not computed again
    truncated: bool | UnsetType = UNSET
    stop_type: str | UnsetType = UNSET
    stopping_word: str | UnsetType = UNSET
    timings: Timings | UnsetType = UNSET
    prompt_progress: ReadingProgress | UnsetType = UNSET
    generation_settings: dict[str, Any] | UnsetType = UNSET
    prompt: str | UnsetType = UNSET
    tokens: list[int] | UnsetType = UNSET


@cache
def fingerprint() -> str:
    build = build_info()
    return f"jan-{build.version}-b{build.llama_cpp_build}"


def usage_of(choices: Sequence[Choice], n_prompts: int) -> TokenUsage:
    """The prompt of several choices counts once."""
    n_each = len(choices) // n_prompts
    of_prompts = [choices[i * n_each].finish.usage for i in range(n_prompts)]
    n_prompt = sum(usage.n_prompt for usage in of_prompts)
    n_generated = sum(choice.finish.usage.n_generated for choice in choices)
    return TokenUsage(
        prompt_tokens=n_prompt,
        completion_tokens=n_generated,
        total_tokens=n_prompt + n_generated,
        prompt_tokens_details=PromptDetails(sum(usage.n_cached for usage in of_prompts)),
    )


def add_details(
    answer: Answer,
    choices: Sequence[Choice],
    model: Model,
    settings: dict[str, Any],
    prompt: str | None,
) -> None:
    """Of the first choice, but for what can be added up. `prompt`: None takes the tokens' text."""
    first = choices[0]
    used = [choice.finish.usage for choice in choices]
    if prompt is None:
        tokens = list(first.request.prompt) if isinstance(first.request.prompt, list) else []
        prompt = model.detokenize(tokens, unparse_special=True).decode(errors="replace")
    answer.tokens_predicted = sum(usage.n_generated for usage in used)
    answer.tokens_evaluated = sum(usage.n_prompt for usage in used)
    answer.tokens_cached = sum(usage.n_cached for usage in used)
    answer.truncated = any(choice.is_truncated for choice in choices)
    answer.stop_type = first.stop_type
    answer.stopping_word = first.finish.stop or ""
    answer.timings = _timings(used)
    answer.generation_settings = settings
    answer.prompt = prompt


def reading_progress(choice: Choice, told: PromptProgress) -> ReadingProgress:
    return ReadingProgress(
        total=len(choice.request.prompt),
        cache=told.n_cached,
        processed=told.n_read,
        time_ms=round(told.seconds * 1000),
    )


def timings_so_far(choice: Choice) -> Timings:
    """While it runs only the generation's part is known."""
    ms = (time.monotonic() - choice.first_at_s) * 1000
    n = choice.n_tokens
    return Timings(
        predicted_n=n,
        predicted_ms=ms,
        predicted_per_token_ms=ms / n if n else 0.0,
        predicted_per_second=n / ms * 1000 if ms else 0.0,
    )


def generation_settings(
    asked: GenerationFields, choice: Choice, served: ServedModel, *, n_probs: int
) -> dict[str, Any]:
    """What was in force for the choice, by llama.cpp's names."""
    request = choice.request
    settings: dict[str, Any] = msgspec.to_builtins(request.sampling)
    n_predict = -1 if request.max_tokens is None else request.max_tokens
    settings["seed"] = -1 if settings["seed"] is None else settings["seed"]
    biases: dict[int, float] = settings["logit_bias"]
    settings["logit_bias"] = [
        {"token": token, "bias": False if bias == -float("inf") else bias}
        for token, bias in biases.items()
    ]
    return settings | {
        "model": asked.model or served.id,
        "n_ctx": served.engine.core.n_ctx,
        "n": asked.n_choices,
        "stream": bool(asked.stream),
        "max_tokens": n_predict,
        "n_predict": n_predict,
        "n_keep": request.n_keep,
        "stop": request.stop,
        "ignore_eos": request.ignore_eos,
        "cache_prompt": request.cache_prompt,
        "deterministic": request.deterministic,
        "post_sampling_probs": request.post_sampling_logprobs,
        "n_probs": n_probs,
        "n_indent": request.n_indent,
        "t_max_predict_ms": request.t_max_predict_ms,
        "id_slot": -1 if asked.id_slot is None else asked.id_slot,
        "return_tokens": bool(asked.return_tokens),
        "timings_per_token": bool(asked.timings_per_token),
        "return_progress": bool(asked.return_progress),
        "grammar": asked.grammar or asked.guided_grammar or asked.ebnf or "",
        "json_schema": asked.guided_json if asked.json_schema is None else asked.json_schema,
        "response_format": asked.response_format,
        "regex": asked.regex or asked.guided_regex,
        "structured_outputs": asked.structured_outputs,
        "guided_choice": asked.guided_choice,
        "multimodal_data": [],
        "lora": served.adapters.told(request.adapters),
    }


def selected(answer: _Answer, names: Sequence[str] | None) -> _Answer | dict[str, Any]:
    """Only these fields of an answer or a chunk, or all of it where none are named. "a/b" is b of
    a, under that name; what there is not is left out.
    """
    if not names:
        return answer
    body = msgspec.to_builtins(answer)
    found: dict[str, Any] = {}
    for name in names:
        value: Any = body
        for part in name.split("/"):
            inner = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
            value = inner.get(part, UNSET)
        if value is not UNSET:
            found[name] = value
    return found


def _timings(used: Sequence[Usage]) -> Timings:
    n_prompt = sum(usage.n_evaluated for usage in used)
    n_predicted = sum(usage.n_generated for usage in used)
    prompt_ms = max(usage.prefill_s for usage in used) * 1000
    predicted_ms = max(usage.decode_s for usage in used) * 1000
    return Timings(
        cache_n=sum(usage.n_cached for usage in used),
        prompt_n=n_prompt,
        prompt_ms=prompt_ms,
        prompt_per_token_ms=prompt_ms / n_prompt if n_prompt else 0.0,
        prompt_per_second=n_prompt / prompt_ms * 1000 if prompt_ms > 0 else 0.0,
        predicted_n=n_predicted,
        predicted_ms=predicted_ms,
        predicted_per_token_ms=predicted_ms / n_predicted if n_predicted else 0.0,
        predicted_per_second=n_predicted / predicted_ms * 1000 if predicted_ms > 0 else 0.0,
    )
