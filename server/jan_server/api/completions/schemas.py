"""The wire of /v1/completions."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from jan_server.inference.details import Answer
from jan_server.inference.generation import GenerationFields
from jan_server.inference.probabilities import CompletionLogprobs, RankedToken

__all__ = [
    "Completion",
    "CompletionChoice",
    "CompletionRequest",
    "PromptWithMedia",
]


class PromptWithMedia(msgspec.Struct):
    prompt_string: str
    multimodal_data: list[str] = []


class CompletionRequest(GenerationFields, kw_only=True):
    prompt: str | list[str | int | list[int]] | PromptWithMedia
    best_of: Annotated[int, Meta(ge=1, le=128)] | None = None
    echo: bool | None = None
    suffix: str | None = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    add_special_tokens: bool | None = None  # false: the prompt does not get the model's first token


class CompletionChoice(msgspec.Struct, kw_only=True):
    text: str
    index: int
    logprobs: CompletionLogprobs | None = None
    finish_reason: str | None = None
    tokens: list[int] | UnsetType = UNSET
    prompt_logprobs: list[dict[str, RankedToken] | None] | UnsetType = UNSET


class Completion(Answer, kw_only=True):
    """A whole answer, or a chunk of a stream."""

    object: str = "text_completion"
    choices: list[CompletionChoice]
