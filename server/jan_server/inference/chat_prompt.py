"""From messages to what the engine is asked: the prompt, and what holds the answer to its form."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import msgspec

from jan_engine import (
    ChatPrompt,
    Constraint,
    InvalidRequest,
    Model,
    Request,
    ThoughtLimit,
)
from jan_server.errors import ApiError
from jan_server.inference.constraint import note_unheld
from jan_server.inference.served_model import ServedModel
from jan_server.telemetry.record import current_record

__all__ = ["Conversation", "ReadyChat", "prepare"]


class Conversation(msgspec.Struct, kw_only=True):
    """What a template is given, by whatever API it came. The names are chat completions'."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] = "auto"
    parallel_tool_calls: bool | None = None
    json_schema: dict[str, Any] | None = None
    schema_field: str = "response_format"  # that it came in
    schema_is_strict: bool = False  # what no grammar holds of it is an error
    enable_thinking: bool = True
    thinking_budget: int | None = None  # tokens, after which a thought is made to end
    reasoning_effort: str | None = None
    reasoning_format: str = "auto"
    chat_template_kwargs: dict[str, Any] | None = None
    continue_final_message: bool | str = False
    add_generation_prompt: bool | None = None  # None: unless the last message is continued


class ReadyChat(NamedTuple):
    """A prompt for any number of answers."""

    prompt: ChatPrompt
    tokens: list[int]
    form: Request  # what holds an answer to its form, on a request of no other meaning

    def bound(self, request: Request) -> Request:
        return msgspec.structs.replace(
            request,
            stop=[*request.stop, *self.form.stop],
            constraint=self.form.constraint,
            constraint_begun=self.form.constraint_begun,
            triggers=self.form.triggers,
            shown_tokens=(*request.shown_tokens, *self.form.shown_tokens),
            thought=self.form.thought,
        )


async def prepare(
    conversation: Conversation,
    served: ServedModel,
    *,
    constraint: tuple[str, Constraint] | None = None,
    may_be_longer: bool = False,
) -> ReadyChat:
    """On a thread for texts: a long conversation takes milliseconds, a schema up to a second.

    `constraint` is the caller's own and the field it came in. `may_be_longer`: than the context,
    since it is only counted or will be cut. Raises InvalidRequest, its message beginning with the
    field, or ApiError.
    """
    work = partial(_prepare, conversation, served, constraint, may_be_longer=may_be_longer)
    is_slow = bool(constraint or conversation.tools or conversation.json_schema)
    record = current_record()
    n_bytes = record.n_body_bytes if record else 0
    ready = await served.text_work.run(work, n_bytes, is_slow=is_slow)
    note_unheld(
        one.replace("json_schema:", f"{conversation.schema_field}:", 1)
        if one.startswith("json_schema:")
        else one
        for one in ready.prompt.unheld
    )
    return ready


def _prepare(
    conversation: Conversation,
    served: ServedModel,
    own: tuple[str, Constraint] | None,
    *,
    may_be_longer: bool,
) -> ReadyChat:
    model, engine = served.model, served.engine
    prompt = _rendered(conversation, served)
    served.refuse_what_cannot_fit("messages", prompt.text, is_cut=may_be_longer)
    must_call = bool(conversation.tools) and conversation.tool_choice not in ("auto", "none")
    if must_call and not prompt.grammar:
        raise _wrong("tool_choice", "the model's template knows no tools", "unsupported_feature")
    if own is not None and prompt.grammar:
        raise _wrong(own[0], "does not go together with tools")
    form = prompt.request()
    name = "tools" if conversation.json_schema is None else conversation.schema_field
    name, asked = own or (name, prompt.constraint)
    if asked is not None:
        try:
            form = msgspec.structs.replace(form, constraint=engine.compile(asked))
        except InvalidRequest as error:
            raise _wrong(name, str(error)) from None
    if conversation.thinking_budget is not None:
        limit = _thought_limit(prompt, model, conversation.thinking_budget)
        form = msgspec.structs.replace(form, thought=limit)
    tokens = model.tokenize(prompt.text, add_special=True, parse_special=True)
    return ReadyChat(prompt, tokens, form)


def _rendered(conversation: Conversation, served: ServedModel) -> ChatPrompt:
    try:
        return served.template.render(
            conversation.messages,
            tools=conversation.tools,
            tool_choice=conversation.tool_choice,
            parallel_tool_calls=conversation.parallel_tool_calls,
            json_schema=conversation.json_schema,
            json_schema_strict=conversation.schema_is_strict,
            enable_thinking=conversation.enable_thinking,
            reasoning_effort=conversation.reasoning_effort,
            reasoning_format=conversation.reasoning_format,
            chat_template_kwargs={
                **served.template_kwargs,
                **(conversation.chat_template_kwargs or {}),
            },
            continue_final_message=conversation.continue_final_message,
            add_generation_prompt=conversation.add_generation_prompt,
        )
    except InvalidRequest as error:
        if error.field not in {"json_schema", "tools"}:
            raise
        field = "tools" if error.field == "tools" else conversation.schema_field
        raise _wrong(field, str(error)) from None


def _thought_limit(prompt: ChatPrompt, model: Model, most: int) -> ThoughtLimit | None:
    """None for a template that knows no thoughts: there is nothing to end."""
    if not prompt.thinking_ends:
        return None
    written = prompt.thinking_ends[0]
    return ThoughtLimit(
        most=most,
        begun=prompt.reasoning_opened,
        start=prompt.thinking_start.strip(),
        ends=tuple(end.strip() for end in prompt.thinking_ends),
        close=tuple(model.tokenize(written, add_special=False, parse_special=True)),
    )


def _wrong(param: str, why: str, code: str = "invalid_parameter") -> ApiError:
    message = why if why.startswith(f"{param}: ") else f"{param}: {why}"
    return ApiError(400, code, message, param=param)
