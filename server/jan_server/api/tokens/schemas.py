"""The wire of /tokenize and /detokenize, which llama-server and vLLM both have.

`content` is llama-server's, and so is what answers it; `prompt` and `messages` are vLLM's.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from jan_server.ids import ModelName

__all__ = [
    "CountedTokens",
    "NativeDetokenizeRequest",
    "NativeDetokenized",
    "NativePieceList",
    "NativeTokenList",
    "NativeTokenPiece",
    "NativeTokenizeRequest",
    "TokenizerInfo",
]


class NativeTokenizeRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One of `content`, `prompt` and `messages`."""

    content: str | list[str | int] | None = None
    add_special: bool | None = None  # of a content; false
    parse_special: bool | None = None  # of a content; true
    with_pieces: bool | None = None  # false

    prompt: str | None = None
    add_special_tokens: bool | None = None  # of a prompt; true
    return_token_strs: bool | None = None  # false

    messages: list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    continue_final_message: bool | None = None
    add_generation_prompt: bool | None = None

    model: ModelName | None = None


class NativeTokenList(msgspec.Struct):
    tokens: list[int]


class NativeTokenPiece(msgspec.Struct):
    """`piece` is a list of bytes where the token is no whole text."""

    id: int
    piece: str | list[int]


class NativePieceList(msgspec.Struct):
    tokens: list[NativeTokenPiece]


class CountedTokens(msgspec.Struct, kw_only=True):
    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: list[str] | UnsetType = UNSET


class NativeDetokenizeRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    tokens: list[int]
    model: ModelName | None = None


class NativeDetokenized(msgspec.Struct):
    """One text under two names: llama-server's and vLLM's."""

    content: str
    prompt: str


class TokenizerInfo(msgspec.Struct, kw_only=True):
    """As in a tokenizer_config.json; a special token that the model does not have is null."""

    tokenizer_class: str
    vocab_size: int
    model_max_length: int
    add_bos_token: bool
    add_eos_token: bool
    bos_token: str | None
    eos_token: str | None
    pad_token: str | None
    unk_token: None = None
    chat_template: str | None
