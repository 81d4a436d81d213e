"""Messages to the text a model was trained on, and its answer back to a message.

    template = ChatTemplate(model)
    prompt = template.render([{"role": "user", "content": "Hello"}], tools=tools)
    parser = prompt.parser()
    async with engine.submit(prompt.request(max_tokens=512)) as stream:
        async for event in stream:
            for delta in parser.feed(event.text):
                ...
    for delta in parser.finish():
        ...
    parser.message                       # all deltas together

A template may be used from any thread, a parser from one at a time.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum

import msgspec

from jan_engine import _core
from jan_engine.constraint import Grammar, Triggers
from jan_engine.errors import InvalidRequest
from jan_engine.model import Model
from jan_engine.types import Request

__all__ = [
    "AnswerParser",
    "ChatDelta",
    "ChatMessage",
    "ChatPrompt",
    "ChatTemplate",
    "ToolCall",
    "ToolCallDelta",
    "Trigger",
    "TriggerKind",
]


class TriggerKind(IntEnum):
    """chat_trigger_kind in csrc/chat.h."""

    TOKEN = 0
    WORD = 1
    PATTERN = 2  # anywhere in the text
    PATTERN_FULL = 3  # of the whole text


class Trigger(msgspec.Struct, frozen=True):
    """From here on a lazy grammar holds."""

    kind: TriggerKind
    value: str
    token: int = -1  # with TOKEN: what `value` is


class ToolCall(msgspec.Struct, frozen=True):
    id: str
    name: str
    arguments: str  # JSON, unless the model wrote something else


class ToolCallDelta(msgspec.Struct, frozen=True):
    """The first one of a call has its id and whole name; the arguments come in pieces."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class ChatDelta(msgspec.Struct, frozen=True):
    """What is new. Exactly one of the three is there."""

    content: str = ""
    reasoning_content: str = ""
    tool_call: ToolCallDelta | None = None


class ChatMessage(msgspec.Struct, frozen=True):
    content: str = ""
    reasoning_content: str = ""
    tool_calls: list[ToolCall] = []


class ChatPrompt:
    """What goes to the model, and how its answer is held to a form and read."""

    __slots__ = (
        "_native",
        "format",
        "generation_prompt",
        "grammar",
        "grammar_begun",
        "grammar_lazy",
        "preserved",
        "reasoning_opened",
        "shown_tokens",
        "stop",
        "supports_thinking",
        "text",
        "thinking_ends",
        "thinking_start",
        "triggers",
        "unheld",
    )

    def __init__(self, native: _core.ChatPrompt) -> None:
        facts = native.facts()
        self._native = native
        self.text: str = native.text  # to be tokenised with its special tokens
        self.generation_prompt: str = facts["generation_prompt"]  # the end of text
        self.grammar: str = facts["grammar"]  # GBNF, "" for none
        self.grammar_lazy: bool = facts["grammar_lazy"]  # it waits for a trigger
        self.grammar_begun: str = facts["grammar_begun"]  # what of its text the prompt ends with
        self.triggers = [Trigger(TriggerKind(kind), *rest) for kind, *rest in facts["triggers"]]
        self.preserved: list[str] = facts["preserved"]  # tokens that keep their text in the answer
        self.shown_tokens: tuple[int, ...] = facts["shown"]  # these, in the template's model
        self.stop: list[str] = facts["stops"]  # beside the model's own ends
        self.supports_thinking: bool = facts["supports_thinking"]
        self.reasoning_opened: bool = facts["reasoning_opened"]  # text ends inside the reasoning
        self.thinking_start: str = facts["thinking_start"]
        self.thinking_ends: list[str] = facts["thinking_ends"]
        # Of schemas, what the grammar does not hold: "tools: #/0/...: pattern: it looks around".
        self.unheld: list[str] = facts["unheld"]
        self.format: str = facts["format"]  # llama.cpp's name of it

    @property
    def constraint(self) -> Grammar | None:
        """What holds the answer to its form; AsyncEngine.compile() makes it ready beforehand."""
        waits_forever = self.grammar_lazy and not self.triggers
        return Grammar(self.grammar) if self.grammar and not waits_forever else None

    def request(
        self, *, stop: Sequence[str] = (), shown_tokens: Sequence[int] = (), **fields: object
    ) -> Request:
        """What to ask the engine of the template's model. `fields` are further ones of Request;
        a `constraint` among them is this prompt's, compiled.
        """
        own = self.constraint
        if own is not None:
            fields.setdefault("constraint", own)
            fields["constraint_begun"] = self.grammar_begun
            fields["triggers"] = _triggers(self.triggers) if self.grammar_lazy else None
        fields["stop"] = [*stop, *self.stop]
        fields["shown_tokens"] = (*shown_tokens, *self.shown_tokens)
        return Request(prompt=self.text, **fields)  # type: ignore[arg-type]

    def parser(self) -> AnswerParser:
        """For one answer. There may be any number of them."""
        return AnswerParser(self._native)


def _triggers(given: Iterable[Trigger]) -> Triggers:
    def of(*kinds: TriggerKind) -> Iterable[Trigger]:
        return (trigger for trigger in given if trigger.kind in kinds)

    return Triggers(
        words=tuple(trigger.value for trigger in of(TriggerKind.WORD)),
        tokens=tuple(trigger.token for trigger in of(TriggerKind.TOKEN)),
        patterns=(
            *(trigger.value for trigger in of(TriggerKind.PATTERN)),
            *(_whole(trigger.value) for trigger in of(TriggerKind.PATTERN_FULL)),
        ),
    )


def _whole(pattern: str) -> str:
    return (
        f"{'' if pattern.startswith('^') else '^'}{pattern}{'' if pattern.endswith('$') else '$'}"
    )


class AnswerParser:
    """One answer as it comes. All deltas together are `message`, whatever the pieces were."""

    def __init__(self, prompt: _core.ChatPrompt) -> None:
        self._native = _core.ChatStream(prompt)
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[tuple[str, str, list[str]]] = []

    def feed(self, text: str) -> list[ChatDelta]:
        """What the text adds; nothing while it may still become a tag."""
        return self._taken(self._native.feed(text.encode()))

    def finish(self) -> list[ChatDelta]:
        """What was held back. Nothing may be fed afterwards."""
        return self._taken(self._native.finish())

    @property
    def message(self) -> ChatMessage:
        return ChatMessage(
            content="".join(self._content),
            reasoning_content="".join(self._reasoning),
            tool_calls=[ToolCall(id, name, "".join(parts)) for id, name, parts in self._calls],
        )

    @property
    def is_complete(self) -> bool:
        """After finish(): False when the text broke off or did not follow its format."""
        return self._native.is_complete

    def _taken(self, found: Iterable[tuple[str, str, int, str, str, str]]) -> list[ChatDelta]:
        deltas: list[ChatDelta] = []
        for content, reasoning, index, name, id_, arguments in found:
            if index < 0:
                self._content.append(content)
                self._reasoning.append(reasoning)
                deltas.append(ChatDelta(content, reasoning))
                continue
            if index == len(self._calls):
                id_ = id_ or "call_" + secrets.token_hex(12)
                self._calls.append((id_, name, []))
            self._calls[index][2].append(arguments)
            deltas.append(ChatDelta(tool_call=ToolCallDelta(index, id_, name, arguments)))
        return deltas


class ChatTemplate:
    """A chat template, read and analysed once. Any number of threads may render with it."""

    def __init__(
        self,
        model: Model | None = None,
        *,
        source: str = "",
        bos_token: str = "",
        eos_token: str = "",
    ) -> None:
        """The model's own template, or ChatML if it has none; `source` in its place if given.

        `source` is Jinja, or "chatml". Without a model it is needed, and the tokens may be given.
        Raises InvalidRequest for a template that is none, or that is too large or too deep.
        """
        if model is None and not source:
            raise InvalidRequest("chat_template: needs a model or a source")
        if model is not None and (bos_token or eos_token):
            raise InvalidRequest("bos_token: the model has its own")
        self._native = _core.ChatTemplate(
            None if model is None else model.core,
            source=source.encode(),
            bos=bos_token.encode(),
            eos=eos_token.encode(),
        )

    @property
    def source(self) -> str:
        return self._native.source()

    @property
    def capabilities(self) -> dict[str, bool]:
        """What llama.cpp found the template to know: tools, system messages and so on."""
        return self._native.capabilities()

    def render(
        self,
        messages: Sequence[Mapping[str, object]] | bytes,
        *,
        tools: Sequence[Mapping[str, object]] | None = None,
        tool_choice: str | Mapping[str, object] = "auto",
        parallel_tool_calls: bool | None = None,
        response_format: Mapping[str, object] | None = None,
        json_schema: Mapping[str, object] | None = None,
        json_schema_strict: bool = False,
        grammar: str = "",
        enable_thinking: bool = True,
        reasoning_effort: str | None = None,
        reasoning_format: str = "deepseek",
        chat_template_kwargs: Mapping[str, object] | None = None,
        add_generation_prompt: bool | None = None,
        continue_final_message: bool | str = False,
    ) -> ChatPrompt:
        """Messages, tools and choices in the words of chat completions; bytes are JSON.

        What no grammar can hold of a schema is in `unheld`, or with `strict` an error.
        `chat_template_kwargs` that the template does not mention have no effect. A true
        `continue_final_message` makes the last message, the assistant's, the answer's beginning.
        Raises InvalidRequest, its message beginning with the name of what is wrong.
        """
        request = {
            "messages": msgspec.Raw(messages) if isinstance(messages, bytes) else messages,
            "tools": tools,
            "tool_choice": tool_choice,
            "parallel_tool_calls": parallel_tool_calls,
            "response_format": response_format,
            "json_schema": json_schema,
            "json_schema_strict": json_schema_strict,
            "grammar": grammar,
            "enable_thinking": enable_thinking,
            "reasoning_effort": reasoning_effort,
            "reasoning_format": reasoning_format,
            "chat_template_kwargs": chat_template_kwargs,
            "add_generation_prompt": add_generation_prompt,
            "continue_final_message": continue_final_message,
        }
        return ChatPrompt(self._native.render(msgspec.json.encode(request)))
