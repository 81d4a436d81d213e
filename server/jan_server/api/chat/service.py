"""From a chat request to the choices that answer it, and to the whole answer."""

from __future__ import annotations

import time

import msgspec
from msgspec import UNSET

from jan_engine import ChatMessage, JsonSchema, Sampling, TokenLogprob, TokenRules
from jan_server.api.chat.messages import (
    continuation,
    messages_of,
    tool_choice_of,
    tools_of,
    wrong,
)
from jan_server.api.chat.schemas import (
    AnswerMessage,
    CalledFunction,
    ChatChoice,
    ChatChunk,
    ChatCompletion,
    ChatLogprobs,
    ChatRequest,
    ChunkChoice,
    ToolCallAnswer,
)
from jan_server.api.chat.thinking import thinking_of
from jan_server.aside import aside
from jan_server.errors import ApiError
from jan_server.ids import new_id
from jan_server.inference.chat_prompt import Conversation, ReadyChat, prepare
from jan_server.inference.chat_reader import ChatReader
from jan_server.inference.choice import Choices
from jan_server.inference.constraint import asked_constraint
from jan_server.inference.details import (
    Answer,
    CompletionDetails,
    TokenUsage,
    add_details,
    fingerprint,
    generation_settings,
    selected,
    usage_of,
)
from jan_server.inference.generation import (
    cut_prompt,
    engine_request,
    refuse_what_is_missing,
    token_limit,
)
from jan_server.inference.pool import Pool
from jan_server.inference.probabilities import (
    TokenProbability,
    ranked_prompt,
    token_probabilities,
)
from jan_server.inference.request_sampling import drawing_of
from jan_server.inference.served_model import ServedModel
from jan_server.security.principal import Principal
from jan_server.sse import frame

__all__ = ["ChatJob", "begin", "ready_chat"]


async def begin(asked: ChatRequest, pool: Pool, principal: Principal) -> ChatJob:
    """Check everything and submit every choice; or raise, and nothing runs."""
    served = await pool.lease(asked.model)
    ready = await ready_chat(asked, served)
    shown = await served.control_tokens() if asked.skip_special_tokens is False else ()
    drawing = await drawing_of(asked, served, asked.n_choices)
    return ChatJob(asked, served, principal, ready, shown, drawing)


async def ready_chat(asked: ChatRequest, served: ServedModel) -> ReadyChat:
    """The prompt of a conversation, and what holds its answer to its form."""
    refuse_what_is_missing(asked, served.engine.core.n_parallel)
    _refuse_what_is_missing(asked)
    name, constraint = asked_constraint(asked)
    schema = constraint.schema if isinstance(constraint, JsonSchema) else None
    messages = messages_of(asked)
    thinking = thinking_of(asked, usual=served.thinks)
    conversation = Conversation(
        messages=messages,
        tools=tools_of(asked),
        tool_choice=tool_choice_of(asked),
        parallel_tool_calls=asked.parallel_tool_calls,
        json_schema=schema if isinstance(schema, dict) else None,
        schema_field=name or "response_format",
        schema_is_strict=isinstance(constraint, JsonSchema) and constraint.strict,
        enable_thinking=thinking.enabled,
        thinking_budget=thinking.budget,
        reasoning_effort=thinking.effort,
        reasoning_format=asked.reasoning_format or served.settings.reasoning_format,
        chat_template_kwargs=asked.chat_template_kwargs,
        continue_final_message=continuation(asked),
        add_generation_prompt=asked.add_generation_prompt,
    )
    own = None if constraint is None or schema is not None else (name, constraint)
    is_cut = asked.truncate_prompt_tokens is not None
    ready = await prepare(conversation, served, constraint=own, may_be_longer=is_cut)
    return ready._replace(tokens=cut_prompt(asked, ready.tokens, served.engine.core.n_ctx))


class ChatJob:
    """The running choices of one request."""

    def __init__(
        self,
        asked: ChatRequest,
        served: ServedModel,
        principal: Principal,
        ready: ReadyChat,
        shown_tokens: tuple[int, ...],
        drawing: tuple[list[Sampling], TokenRules | None],
    ) -> None:
        self.asked = asked
        self.model_id = asked.model or served.id
        self.served = served
        self.ready = ready
        self.id = new_id("chatcmpl-")
        self.created = int(time.time())
        self.n_top = asked.n_probs or asked.top_logprobs or 0
        self.wants_logprobs = bool(asked.logprobs) or bool(asked.n_probs)
        samplings, rules = drawing
        self.choices = Choices(
            served,
            [
                ready.bound(
                    engine_request(
                        asked,
                        ready.tokens,
                        sampling,
                        principal,
                        served.adapters,
                        max_tokens=token_limit(asked, None, served.settings.n_predict),
                        n_top=self.n_top if self.wants_logprobs else None,
                        shift_context=served.settings.context_shift,
                        n_top_of_prompt=asked.prompt_logprobs,
                        shown_tokens=shown_tokens,
                        rules=rules,
                    )
                )
                for sampling in samplings
            ],
            asked.shown_stops,
        )
        self.readers = [ChatReader(ready.prompt, choice) for choice in self.choices.all]

    async def whole(self) -> bytes:
        """The answer, once everything is generated."""
        await self.choices.each(lambda choice: self.readers[choice.index].read_all())
        return await aside(self._assembled, unless=self.choices.told_little)

    def _assembled(self) -> bytes:
        answer = ChatCompletion(
            id=self.id,
            created=self.created,
            model=self.model_id,
            system_fingerprint=fingerprint(),
            choices=[self._shaped(reader) for reader in self.readers],
            usage=self.usage(),
            service_tier=self.asked.service_tier or UNSET,
        )
        if self.served.settings.reply_details:
            self.add_details(answer, self.readers)
        first = self.choices.all[0]
        if self.asked.return_tokens and len(self.choices.all) == 1:
            answer.tokens = first.tokens
        if self.asked.prompt_logprobs is not None:
            told = first.prompt_logprobs
            answer.prompt_logprobs = ranked_prompt(self.ready.tokens, told, self.served.model)
        return msgspec.json.encode(selected(answer, self.asked.response_fields))

    def chunk(self, choices: list[ChunkChoice]) -> ChatChunk:
        return ChatChunk(
            id=self.id,
            created=self.created,
            model=self.model_id,
            system_fingerprint=fingerprint(),
            choices=choices,
            service_tier=self.asked.service_tier or UNSET,
        )

    def frame(self, chunk: ChatChunk) -> bytes:
        """As a stream sends it; nothing where nothing of it was asked for."""
        kept = selected(chunk, self.asked.response_fields)
        return frame(kept) if kept else b""

    def usage(self) -> TokenUsage:
        usage = usage_of(self.choices.all, 1)
        n_reasoning = sum(one.n_reasoning_tokens(self.served.model) for one in self.readers)
        usage.completion_tokens_details = CompletionDetails(n_reasoning)
        return usage

    def add_details(self, answer: Answer, readers: list[ChatReader]) -> None:
        """llama.cpp's further fields, about these choices."""
        choices = [reader.choice for reader in readers]
        settings = generation_settings(self.asked, choices[0], self.served, n_probs=self.n_top)
        settings["chat_format"] = self.ready.prompt.format
        settings["generation_prompt"] = self.ready.prompt.generation_prompt
        add_details(answer, choices, self.served.model, settings, self.ready.prompt.text)

    def logprobs(self, told: list[TokenLogprob]) -> ChatLogprobs | list[TokenProbability] | None:
        """With n_probs llama.cpp's bare list, otherwise OpenAI's object."""
        if not self.wants_logprobs:
            return None
        as_probs = bool(self.asked.post_sampling_probs)
        shaped = token_probabilities(told, self.n_top, self.served.model, as_probs=as_probs)
        return shaped if self.asked.n_probs else ChatLogprobs(content=shaped)

    def finish_reason(self, reader: ChatReader) -> str:
        reason = reader.finish_reason
        return "function_call" if reason == "tool_calls" and self.asked.functions else reason

    def _shaped(self, reader: ChatReader) -> ChatChoice:
        shaped = ChatChoice(
            index=reader.choice.index,
            message=self._message(reader.message),
            logprobs=self.logprobs(reader.choice.logprobs),
            finish_reason=self.finish_reason(reader),
        )
        if self.asked.return_tokens:
            shaped.tokens = reader.choice.tokens
        return shaped

    def _message(self, message: ChatMessage) -> AnswerMessage:
        calls = [
            ToolCallAnswer(
                id=call.id, function=CalledFunction(name=call.name, arguments=call.arguments)
            )
            for call in message.tool_calls
        ]
        shaped = AnswerMessage(content=message.content or (None if calls else ""))
        if message.reasoning_content:
            shaped.reasoning_content = message.reasoning_content
        if calls and self.asked.functions:
            shaped.function_call = calls[0].function
        elif calls:
            shaped.tool_calls = calls
        return shaped


def _refuse_what_is_missing(asked: ChatRequest) -> None:
    if asked.top_logprobs is not None and not asked.logprobs:
        raise wrong("top_logprobs", "needs logprobs")
    if asked.deep_research:
        raise wrong("deep_research", "is not supported yet", "unsupported_feature")
    if asked.conversation is not None:
        given = asked.conversation
        named = given if isinstance(given, str) else given.get("id")
        if named is not None:
            message = f"There is no conversation '{named}'"
            raise ApiError(404, "conversation_not_found", message, param="conversation")
        raise wrong("conversation", "conversations are not kept yet", "unsupported_feature")
