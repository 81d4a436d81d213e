"""Turns of blocks as the messages that chat templates read."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from jan_server.api.messages.schemas import CountRequest, ForcedTool, GivenTool, Turn
from jan_server.errors import ApiError
from jan_server.inference.chat_prompt import Conversation

__all__ = ["conversation_of"]

_FORGOTTEN = {"redacted_thinking"}  # nobody here can read it


def conversation_of(asked: CountRequest, reasoning_format: str) -> Conversation:
    """Raises 400 for what a model of texts cannot read."""
    if not asked.messages:
        raise _wrong("messages", "is empty")
    messages: list[dict[str, Any]] = []
    if asked.system:
        messages.append({"role": "system", "content": _system(asked.system)})
    for turn in asked.messages:
        messages += _messages(turn)
    if not messages:
        raise _wrong("messages", "says nothing")
    last = messages[-1]
    is_begun = last["role"] == "assistant" and not last.get("tool_calls") and bool(last["content"])
    choice = asked.tool_choice or ForcedTool(type="auto")
    output = asked.output_config
    form = asked.output_format if output is None or output.format is None else output.format
    return Conversation(
        messages=messages,
        tools=[_tool(tool) for tool in asked.tools or []] or None,
        tool_choice=_choice(choice, bool(asked.tools)),
        parallel_tool_calls=False if choice.disable_parallel_tool_use else None,
        json_schema=_schema(form) if form else None,
        # Who does not ask for thoughts expects an answer that begins with text.
        enable_thinking=asked.thinking is not None and asked.thinking.type != "disabled",
        thinking_budget=None if asked.thinking is None else asked.thinking.budget_tokens,
        reasoning_effort=None if output is None else output.effort,
        reasoning_format=reasoning_format,
        chat_template_kwargs=asked.chat_template_kwargs,
        continue_final_message=is_begun,
    )


def _messages(turn: Turn) -> list[dict[str, Any]]:
    """Of one turn: the results it brings, each of which is a message, then what it says."""
    if isinstance(turn.content, str):
        return [{"role": turn.role, "content": turn.content}]
    results: list[dict[str, Any]] = []
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[dict[str, Any]] = []
    for block in turn.content:
        kind = block.get("type")
        if kind == "tool_result":
            content = _result(block.get("content"))
            call_id = str(block.get("tool_use_id", ""))
            results.append({"role": "tool", "tool_call_id": call_id, "content": content})
        elif kind == "tool_use":
            calls.append(_call(block))
        elif kind == "thinking":
            thoughts.append(str(block.get("thinking", "")))
        elif kind not in _FORGOTTEN:
            texts.append(_text(block))
    message: dict[str, Any] = {"role": turn.role, "content": "\n".join(texts)}
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    return [*results, message] if texts or thoughts or calls else results


def _text(block: dict[str, Any]) -> str:
    kind = block.get("type")
    text = block.get("text")
    if kind == "text" and isinstance(text, str):
        return text
    source: Any = block.get("source")
    if kind == "document" and isinstance(source, dict):
        document = cast("dict[str, Any]", source)
        if document.get("type") == "text":
            return str(document.get("data", ""))
    if kind in {"image", "document"}:
        message = f"messages: the model reads text only, no {kind}"
        raise ApiError(400, "model_not_multimodal", message, param="messages")
    raise _wrong("messages", f"a block of type {kind!r} is not understood")


def _system(given: str | list[dict[str, Any]]) -> str:
    return given if isinstance(given, str) else "\n".join(map(_text, given))


def _result(content: object) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    try:
        return "\n".join(map(_text, msgspec.convert(content, list[dict[str, Any]])))
    except msgspec.ValidationError:
        raise _wrong("messages", "a tool_result's content is a text or blocks") from None


def _call(block: dict[str, Any]) -> dict[str, Any]:
    name = block.get("name")
    if not isinstance(name, str):
        raise _wrong("messages", "a tool_use needs a name")
    arguments = msgspec.json.encode(block.get("input", {})).decode()
    function = {"name": name, "arguments": arguments}
    return {"id": str(block.get("id", "")), "type": "function", "function": function}


def _tool(tool: GivenTool) -> dict[str, Any]:
    if tool.type not in {None, "custom"}:
        message = f"tools: there is no {tool.type!r} here"
        raise ApiError(400, "unsupported_feature", message, param="tools")
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.input_schema or {}}
    if tool.description is not None:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _choice(choice: ForcedTool, has_tools: bool) -> str | dict[str, Any]:
    if choice.type in {"any", "tool"} and not has_tools:
        raise _wrong("tool_choice", "there are no tools")
    if choice.type == "tool":
        if not choice.name:
            raise _wrong("tool_choice", "must name a tool")
        return {"type": "function", "function": {"name": choice.name}}
    return "required" if choice.type == "any" else choice.type


def _schema(given: dict[str, Any]) -> dict[str, Any]:
    schema = given.get("schema")
    if given.get("type") != "json_schema" or not isinstance(schema, dict):
        raise _wrong("output_config", "format is a json_schema with its schema")
    return msgspec.convert(schema, dict[str, Any])


def _wrong(param: str, why: str) -> ApiError:
    return ApiError(400, "invalid_parameter", f"{param}: {why}", param=param)
