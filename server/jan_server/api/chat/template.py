"""A conversation's prompt without an answer: its text, or how many tokens it has. The paths are
llama-server's.
"""

from __future__ import annotations

import msgspec
from litestar import post
from litestar.params import RawBody

from jan_server.api.chat.foreign import FOREIGN_CHAT
from jan_server.api.chat.schemas import ChatRequest
from jan_server.api.chat.service import ready_chat
from jan_server.inference.chat_prompt import ReadyChat
from jan_server.requests import HttpRequest, Models, RouteFacts, describe, read

__all__ = ["HANDLERS"]


class RenderedPrompt(msgspec.Struct):
    prompt: str


class PromptTokenCount(msgspec.Struct, kw_only=True):
    object: str = "response.input_tokens"
    input_tokens: int


_RENDERED = RouteFacts(
    tag="Chat", reads=ChatRequest, foreign=FOREIGN_CHAT, gives=RenderedPrompt, wrong_value=422
)
_COUNTED = RouteFacts(
    tag="Chat", reads=ChatRequest, foreign=FOREIGN_CHAT, gives=PromptTokenCount, wrong_value=422
)


@post("/apply-template", opt=describe(_RENDERED), status_code=200)
async def apply_template(body: RawBody, request: HttpRequest, pool: Models) -> RenderedPrompt:
    """The prompt that a chat completion of this body would have."""
    return RenderedPrompt((await _ready(body, request, pool)).prompt.text)


@post("/v1/chat/completions/input_tokens", opt=describe(_COUNTED), status_code=200)
async def count_chat_tokens(body: RawBody, request: HttpRequest, pool: Models) -> PromptTokenCount:
    """How many tokens that prompt has."""
    return PromptTokenCount(input_tokens=len((await _ready(body, request, pool)).tokens))


async def _ready(body: bytes, request: HttpRequest, pool: Models) -> ReadyChat:
    asked = await read(ChatRequest, body, request)
    return await ready_chat(asked, await pool.lease(asked.model))


HANDLERS = [apply_template, count_chat_tokens]
