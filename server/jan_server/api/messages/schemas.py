"""The wire of /v1/messages, as Anthropic's clients know it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from jan_server.ids import ModelName

__all__ = [
    "Block",
    "BlockDelta",
    "BlockStart",
    "BlockStop",
    "CountRequest",
    "ForcedTool",
    "GivenTool",
    "InputJson",
    "InputTokens",
    "Message",
    "MessageDelta",
    "MessageEnd",
    "MessageRequest",
    "MessageStart",
    "MessageStop",
    "MessageUsage",
    "Signature",
    "Text",
    "TextPiece",
    "Thinking",
    "ThinkingPiece",
    "ToolUse",
    "Turn",
]

StopText = Annotated[str, Meta(max_length=1024)]


class Turn(msgspec.Struct):
    role: Literal["user", "assistant", "system"]
    content: str | list[dict[str, Any]]


class GivenTool(msgspec.Struct, kw_only=True):
    name: str
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    type: str | None = None  # custom, which is the same as none


class ForcedTool(msgspec.Struct, kw_only=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingConfig(msgspec.Struct, kw_only=True):
    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Annotated[int, Meta(ge=1)] | None = None


class OutputConfig(msgspec.Struct, kw_only=True):
    effort: str | None = None
    format: dict[str, Any] | None = None


class CountRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What makes the prompt."""

    model: ModelName | None = None  # may be left out where there is only one
    messages: list[Turn]
    system: str | list[dict[str, Any]] | None = None
    tools: list[GivenTool] | None = None
    tool_choice: ForcedTool | None = None
    thinking: ThinkingConfig | None = None
    output_config: OutputConfig | None = None
    output_format: dict[str, Any] | None = None  # what output_config.format was called before
    chat_template_kwargs: dict[str, Any] | None = None


class MessageRequest(CountRequest, kw_only=True):
    max_tokens: Annotated[int, Meta(ge=0)]
    stream: bool | None = None
    stop_sequences: Annotated[list[StopText], Meta(max_length=16)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: int | None = None
    seed: int | None = None
    deterministic: bool | None = None


class InputTokens(msgspec.Struct):
    input_tokens: int


class Text(msgspec.Struct, tag="text"):
    text: str


class Thinking(msgspec.Struct, tag="thinking"):
    thinking: str
    signature: str = ""  # nobody here signs


class ToolUse(msgspec.Struct, tag="tool_use"):
    id: str
    name: str
    input: dict[str, Any]


Block = Text | Thinking | ToolUse


class MessageUsage(msgspec.Struct, kw_only=True):
    input_tokens: int  # without those from the cache
    output_tokens: int
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0


class Message(msgspec.Struct, kw_only=True):
    id: str
    type: str = "message"
    role: str = "assistant"
    model: str
    content: list[Block]
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: MessageUsage


class MessageStart(msgspec.Struct, tag="message_start"):
    message: Message


class BlockStart(msgspec.Struct, tag="content_block_start"):
    index: int
    content_block: Block


class TextPiece(msgspec.Struct, tag="text_delta"):
    text: str


class ThinkingPiece(msgspec.Struct, tag="thinking_delta"):
    thinking: str


class Signature(msgspec.Struct, tag="signature_delta"):
    signature: str = ""


class InputJson(msgspec.Struct, tag="input_json_delta"):
    partial_json: str


class BlockDelta(msgspec.Struct, tag="content_block_delta"):
    index: int
    delta: TextPiece | ThinkingPiece | Signature | InputJson


class BlockStop(msgspec.Struct, tag="content_block_stop"):
    index: int


class MessageEnd(msgspec.Struct, kw_only=True):
    stop_reason: str
    stop_sequence: str | None = None


class MessageDelta(msgspec.Struct, tag="message_delta"):
    delta: MessageEnd
    usage: MessageUsage | UnsetType = UNSET


class MessageStop(msgspec.Struct, tag="message_stop"):
    pass
