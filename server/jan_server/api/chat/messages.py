"""Messages and tools as chat templates read them."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec import UNSET

from jan_server.api.chat.schemas import (
    CalledFunction,
    ChatRequest,
    Function,
    GivenMessage,
    NamedFunction,
    ToolCallAnswer,
)
from jan_server.errors import ApiError

__all__ = ["continuation", "messages_of", "tool_choice_of", "tools_of"]

_MEDIA = {"image_url", "image", "input_audio", "audio", "video", "video_url", "file"}


def messages_of(asked: ChatRequest) -> list[dict[str, Any]]:
    """Raises 400 for what a model of texts cannot read."""
    if not asked.messages:
        raise wrong("messages", "is empty")
    return [_message(given) for given in asked.messages]


def tools_of(asked: ChatRequest) -> list[dict[str, Any]] | None:
    """`functions` are what tools were called before."""
    if asked.tools and asked.functions:
        raise wrong("functions", "not together with tools")
    functions = [tool.function for tool in asked.tools or []] or asked.functions or []
    return [_tool(function) for function in functions] or None


def tool_choice_of(asked: ChatRequest) -> str | dict[str, Any]:
    choice = asked.function_call if asked.functions else asked.tool_choice
    field = "function_call" if asked.functions else "tool_choice"
    if choice is None:
        return "auto"
    if isinstance(choice, NamedFunction):
        name = choice.name if choice.function is None else choice.function.get("name")
        if not isinstance(name, str):
            raise wrong(field, "must name a function")
        return {"type": "function", "function": {"name": name}}
    if choice not in {"none", "auto", "required"}:
        raise wrong(field, f"there is no {choice!r}; it is none, auto, required or a function")
    if choice == "required" and not (asked.tools or asked.functions):
        raise wrong(field, "there are no tools")
    return choice


def continuation(asked: ChatRequest) -> bool | str:
    """Whether the last message is the beginning of the answer: as llama.cpp has it, if it is the
    assistant's and nothing else is said.
    """
    if asked.continue_final_message is not None:
        if asked.continue_final_message and asked.add_generation_prompt:
            raise wrong("continue_final_message", "not together with add_generation_prompt")
        return asked.continue_final_message
    last = asked.messages[-1]
    return (
        last.role == "assistant"
        and bool(last.content)
        and not last.tool_calls
        and not last.function_call
        and not asked.add_generation_prompt
    )


def wrong(param: str, why: str, code: str = "invalid_parameter") -> ApiError:
    return ApiError(400, code, f"{param}: {why}", param=param)


def _message(given: GivenMessage) -> dict[str, Any]:
    message = cast("dict[str, Any]", msgspec.to_builtins(given))
    message["role"] = {"developer": "system", "function": "tool"}.get(given.role, given.role)
    if isinstance(given.content, list):
        message["content"] = [_part(part) for part in given.content]
    calls = list(given.tool_calls or [])
    if given.function_call is not None:
        calls.append(ToolCallAnswer(id="call_0", function=given.function_call))
        del message["function_call"]
    if calls:
        message["tool_calls"] = [_call(call) for call in calls]
    if "content" not in message and not calls and given.reasoning_content is None:
        raise wrong("messages", f"a message of the {given.role} needs content")
    message.setdefault("content", "")
    return message


def _part(part: dict[str, Any]) -> dict[str, Any]:
    kind = part.get("type")
    if kind in {"text", "input_text", "output_text", "refusal"}:
        text = part.get("refusal" if kind == "refusal" else "text")
    elif kind == "tool_result":
        text = part.get("content", part.get("text", ""))
        text = text if isinstance(text, str) else msgspec.json.encode(text).decode()
    elif kind in _MEDIA:
        raise wrong("messages", "the model reads text only", "model_not_multimodal")
    else:
        raise wrong("messages", f"there is no content of type {kind!r}")
    if not isinstance(text, str):
        raise wrong("messages", "a part's text must be a string")
    return {"type": "text", "text": text}


def _call(call: ToolCallAnswer) -> dict[str, Any]:
    called = call.function
    if called.name is UNSET:
        raise wrong("messages", "a tool call needs a function's name")
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": called.name, "arguments": _arguments(called)},
    }


def _arguments(called: CalledFunction) -> str:
    given = called.arguments
    return given if isinstance(given, str) else msgspec.json.encode(given).decode()


def _tool(function: Function) -> dict[str, Any]:
    return {"type": "function", "function": msgspec.to_builtins(function)}
