"""From a text, a mixture of texts and tokens, or a conversation to tokens."""

from __future__ import annotations

from jan_server.api.tokens.schemas import NativeTokenizeRequest
from jan_server.errors import ApiError
from jan_server.inference.chat_prompt import Conversation, prepare
from jan_server.inference.mixed_prompt import mixed_tokens
from jan_server.inference.served_model import ServedModel

__all__ = ["tokens_of"]

_FORMS = ("content", "prompt", "messages")


async def tokens_of(asked: NativeTokenizeRequest, served: ServedModel) -> list[int]:
    """Raises 400 unless one thing is given."""
    given = [name for name in _FORMS if getattr(asked, name) is not None]
    if not given:
        raise ApiError(400, "invalid_parameter", "Parameter 'content' is required", param="content")
    if len(given) > 1:
        raise _wrong(given[1], f"not beside {given[0]}")
    if asked.content is not None:
        return await mixed_tokens(
            [asked.content] if isinstance(asked.content, str) else asked.content,
            served,
            add_special=bool(asked.add_special),
            parse_special=asked.parse_special is not False,
        )
    if asked.prompt is not None:
        return await served.tokenize(
            asked.prompt,
            add_special=asked.add_special_tokens is not False,
            parse_special=True,
        )
    return await _of_conversation(asked, served)


async def _of_conversation(asked: NativeTokenizeRequest, served: ServedModel) -> list[int]:
    conversation = Conversation(
        messages=asked.messages or [],
        tools=asked.tools,
        chat_template_kwargs=asked.chat_template_kwargs,
        continue_final_message=bool(asked.continue_final_message),
        add_generation_prompt=asked.add_generation_prompt,
    )
    return (await prepare(conversation, served, may_be_longer=True)).tokens


def _wrong(param: str, why: str) -> ApiError:
    return ApiError(400, "invalid_parameter", f"{param}: {why}", param=param)
