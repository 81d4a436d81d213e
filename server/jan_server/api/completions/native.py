"""The wire of /completion and /infill: llama-server's own, not OpenAI's."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from jan_server.api.completions.foreign import FOREIGN_COMPLETION
from jan_server.api.completions.schemas import CompletionRequest, PromptWithMedia
from jan_server.errors import OPENAI, Dialect
from jan_server.foreign import ForeignFields, Harmless
from jan_server.inference.details import ReadingProgress, Timings
from jan_server.inference.probabilities import TokenProbability

__all__ = [
    "FOREIGN_NATIVE",
    "NATIVE",
    "InfillExtra",
    "InfillRequest",
    "NativeChunk",
    "NativeCompletion",
    "NativeRequest",
]

FOREIGN_NATIVE: ForeignFields = {
    **FOREIGN_COMPLETION,
    "t_max_prompt_ms": Harmless("editors send it, and llama-server does not heed it either"),
}
NATIVE = Dialect(OPENAI.envelope, OPENAI.before_error, b"")  # its streams just end


class NativeRequest(CompletionRequest, kw_only=True):
    """Without a limit it generates until the model ends, or the context is full."""

    prompt: str | list[str | int | list[str | int] | PromptWithMedia] | PromptWithMedia  # type: ignore[assignment]


class InfillExtra(msgspec.Struct, kw_only=True):  # other fields are an editor's own
    text: str
    filename: str = "tmp"


class InfillRequest(NativeRequest, kw_only=True):
    """What stands around a gap, and what the answer begins with already."""

    input_prefix: str
    input_suffix: str
    input_extra: list[InfillExtra] | None = None  # further texts, the least related first
    prompt: str | None = None  # type: ignore[assignment]


class NativeChunk(msgspec.Struct, kw_only=True):
    """Of a stream, but for its last frame."""

    index: int
    content: str
    tokens: list[int]
    stop: bool = False
    id_slot: int = -1  # none: prefixes are found by content
    tokens_predicted: int
    tokens_evaluated: int
    timings: Timings | UnsetType = UNSET
    prompt_progress: ReadingProgress | UnsetType = UNSET
    completion_probabilities: list[TokenProbability] | UnsetType = UNSET


class NativeCompletion(msgspec.Struct, kw_only=True):
    """A whole answer, or the last frame of a stream, whose content is then what was left."""

    index: int
    content: str
    tokens: list[int]
    id_slot: int = -1
    stop: bool = True
    model: str
    tokens_predicted: int
    tokens_evaluated: int
    generation_settings: dict[str, Any]
    prompt: str
    has_new_line: bool
    truncated: bool
    stop_type: str
    stopping_word: str
    tokens_cached: int
    timings: Timings | UnsetType = UNSET
    completion_probabilities: list[TokenProbability] | UnsetType = UNSET
