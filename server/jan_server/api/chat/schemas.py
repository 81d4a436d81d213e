"""The wire of /v1/chat/completions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from jan_server.inference.details import Answer
from jan_server.inference.generation import GenerationFields
from jan_server.inference.probabilities import RankedToken, TokenProbability

__all__ = [
    "AnswerMessage",
    "CalledFunction",
    "ChatChoice",
    "ChatChunk",
    "ChatCompletion",
    "ChatLogprobs",
    "ChatRequest",
    "ChunkChoice",
    "Delta",
    "GivenMessage",
    "NamedFunction",
    "Reasoning",
    "ThinkingSwitch",
    "Tool",
    "ToolCallAnswer",
    "ToolCallPart",
]


class CalledFunction(msgspec.Struct, kw_only=True):
    """`arguments` are JSON as text, or a piece of it in a stream."""

    name: str | UnsetType = UNSET
    arguments: str | dict[str, Any] = ""


class ToolCallAnswer(msgspec.Struct, kw_only=True):
    id: str = ""
    type: str = "function"
    function: CalledFunction


class ToolCallPart(msgspec.Struct, kw_only=True):
    """Of a stream. The first one of a call has everything but the arguments."""

    index: int
    id: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    function: CalledFunction


class GivenMessage(msgspec.Struct, kw_only=True, omit_defaults=True):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[ToolCallAnswer] | None = None
    function_call: CalledFunction | None = None
    reasoning_content: str | None = None


class Function(msgspec.Struct, kw_only=True, omit_defaults=True):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(msgspec.Struct, kw_only=True):
    type: Literal["function"] = "function"
    function: Function


class NamedFunction(msgspec.Struct, kw_only=True):
    """Of `tool_choice` with its type and function, of `function_call` with its name."""

    type: str = "function"
    function: dict[str, Any] | None = None
    name: str | None = None


class ThinkingSwitch(msgspec.Struct, forbid_unknown_fields=True):
    """As DeepSeek's and Zhipu's clients have it."""

    type: Literal["enabled", "disabled", "auto", "adaptive"]
    budget_tokens: Annotated[int, Meta(ge=-1)] | None = None
    clear_thinking: bool | None = None  # no effect: templates drop earlier thoughts, or keep them


class Reasoning(msgspec.Struct, forbid_unknown_fields=True):
    """As OpenRouter's and Ollama's clients have it."""

    effort: str | None = None
    enabled: bool | None = None
    max_tokens: Annotated[int, Meta(ge=-1)] | None = None
    exclude: bool | None = None
    summary: str | None = None  # no effect: thoughts are told whole


class ChatRequest(GenerationFields, kw_only=True):
    messages: list[GivenMessage]
    tools: list[Tool] | None = None
    tool_choice: str | NamedFunction | None = None
    parallel_tool_calls: bool | None = None
    functions: list[Function] | None = None
    function_call: str | NamedFunction | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    enable_thinking: bool | None = None
    reasoning_effort: str | None = None
    reasoning_format: str | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    # A last message of the assistant's is continued unless this, or a prompt, is said.
    continue_final_message: bool | str | None = None
    add_generation_prompt: bool | None = None
    conversation: str | dict[str, Any] | None = None
    deep_research: bool | None = None
    service_tier: str | None = None
    # What a model may spend on thinking, by every name: llama-server's, then vLLM's.
    thinking_budget_tokens: Annotated[int, Meta(ge=-1)] | None = None
    reasoning_budget_tokens: Annotated[int, Meta(ge=-1)] | None = None
    thinking_token_budget: Annotated[int, Meta(ge=-1)] | None = None
    thinking: ThinkingSwitch | None = None
    reasoning: Reasoning | None = None


class ChatLogprobs(msgspec.Struct, kw_only=True):
    content: list[TokenProbability]
    refusal: None = None


class AnswerMessage(msgspec.Struct, kw_only=True):
    role: str = "assistant"
    content: str | None
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[ToolCallAnswer] | UnsetType = UNSET
    function_call: CalledFunction | UnsetType = UNSET
    refusal: None = None


class ChatChoice(msgspec.Struct, kw_only=True):
    index: int
    message: AnswerMessage
    logprobs: ChatLogprobs | list[TokenProbability] | None = None  # with n_probs a bare list
    finish_reason: str
    tokens: list[int] | UnsetType = UNSET


class ChatCompletion(Answer, kw_only=True):
    object: str = "chat.completion"
    choices: list[ChatChoice]
    service_tier: str | UnsetType = UNSET
    prompt_logprobs: list[dict[str, RankedToken] | None] | UnsetType = UNSET


class Delta(msgspec.Struct, kw_only=True):
    """What is new of a choice's message."""

    role: str | UnsetType = UNSET
    content: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[ToolCallPart] | UnsetType = UNSET
    function_call: CalledFunction | UnsetType = UNSET


class ChunkChoice(msgspec.Struct, kw_only=True):
    index: int
    delta: Delta
    logprobs: ChatLogprobs | list[TokenProbability] | None = None
    finish_reason: str | None = None


class ChatChunk(Answer, kw_only=True):
    object: str = "chat.completion.chunk"
    choices: list[ChunkChoice]
    service_tier: str | UnsetType = UNSET
