"""From a request for a message to the choice that answers it, and to the whole message."""

from __future__ import annotations

from typing import Any

import msgspec

from jan_engine import FinishReason
from jan_server.api.messages.schemas import (
    Block,
    CountRequest,
    InputTokens,
    Message,
    MessageEnd,
    MessageRequest,
    MessageUsage,
    Text,
    Thinking,
    ToolUse,
)
from jan_server.api.messages.turns import conversation_of
from jan_server.ids import new_id
from jan_server.inference.chat_prompt import ReadyChat, prepare
from jan_server.inference.chat_reader import ChatReader
from jan_server.inference.choice import Choices
from jan_server.inference.generation import GenerationFields, engine_request
from jan_server.inference.pool import Pool
from jan_server.inference.request_sampling import sampling_of
from jan_server.inference.served_model import ServedModel
from jan_server.security.principal import Principal

__all__ = ["MessageJob", "begin", "count"]


async def begin(asked: MessageRequest, pool: Pool, principal: Principal) -> MessageJob:
    """Check everything and submit; or raise, and nothing runs."""
    served = await pool.lease(asked.model)
    return MessageJob(asked, served, principal, await _ready(asked, served))


async def count(asked: CountRequest, pool: Pool) -> InputTokens:
    """The tokens of the prompt that this would be."""
    ready = await _ready(asked, await pool.lease(asked.model), may_be_longer=True)
    return InputTokens(len(ready.tokens))


async def _ready(
    asked: CountRequest, served: ServedModel, *, may_be_longer: bool = False
) -> ReadyChat:
    conversation = conversation_of(asked, served.settings.reasoning_format)
    return await prepare(conversation, served, may_be_longer=may_be_longer)


class MessageJob:
    """The running choice of one request."""

    def __init__(
        self, asked: MessageRequest, served: ServedModel, principal: Principal, ready: ReadyChat
    ) -> None:
        self._asked = asked
        self._model_id = asked.model or served.id
        self._n_prompt = len(ready.tokens)
        self._id = new_id("msg_")
        fields = GenerationFields(
            stop=asked.stop_sequences,
            temperature=asked.temperature,
            top_p=asked.top_p,
            top_k=asked.top_k,
            seed=asked.seed,
            deterministic=asked.deterministic,
        )
        request = engine_request(
            fields,
            ready.tokens,
            sampling_of(fields, served, 0),
            principal,
            served.adapters,
            max_tokens=asked.max_tokens,
            n_top=None,
            shift_context=served.settings.context_shift,
        )
        self.choices = Choices(served, [ready.bound(request)])
        (self.choice,) = self.choices.all
        self.reader = ChatReader(ready.prompt, self.choice)

    async def whole(self) -> bytes:
        await self.reader.read_all()
        message = self.message(self._blocks(), self.usage())
        end = self.end()
        message.stop_reason, message.stop_sequence = end.stop_reason, end.stop_sequence
        return msgspec.json.encode(message)

    def message(self, content: list[Block], usage: MessageUsage) -> Message:
        return Message(id=self._id, model=self._model_id, content=content, usage=usage)

    def usage_before(self) -> MessageUsage:
        """Before it is known what the cache had of the prompt."""
        return MessageUsage(input_tokens=self._n_prompt, output_tokens=0)

    def usage(self) -> MessageUsage:
        used = self.choice.finish.usage
        return MessageUsage(
            input_tokens=used.n_prompt - used.n_cached,
            output_tokens=used.n_generated,
            cache_read_input_tokens=used.n_cached,
        )

    def end(self) -> MessageEnd:
        finish = self.choice.finish
        if finish.stop is not None and finish.stop in (self._asked.stop_sequences or []):
            return MessageEnd(stop_reason="stop_sequence", stop_sequence=finish.stop)
        if finish.reason is not FinishReason.STOP:
            return MessageEnd(stop_reason="max_tokens")
        called = bool(self.reader.message.tool_calls)
        return MessageEnd(stop_reason="tool_use" if called else "end_turn")

    def _blocks(self) -> list[Block]:
        message = self.reader.message
        blocks: list[Block] = []
        if message.reasoning_content:
            blocks.append(Thinking(message.reasoning_content))
        if message.content or not (message.tool_calls or blocks):
            blocks.append(Text(message.content))
        blocks += [ToolUse(c.id, c.name, _input(c.arguments)) for c in message.tool_calls]
        return blocks


def _input(arguments: str) -> dict[str, Any]:
    """Empty where the model was cut off, or wrote no JSON."""
    try:
        return msgspec.json.decode(arguments, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return {}
