"""Reads an answer as it arrives: server-sent events, or one JSON document."""

from __future__ import annotations

from typing import Any

import msgspec

from jan_bench.load.reply import INCOMPLETE, OK, Reply

__all__ = ["AnswerReader"]

_MAX_ERROR_TEXT = 2000


class _Delta(msgspec.Struct):
    """What is new in a message; or all of it, where nothing was streamed."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None  # what vLLM calls it
    tool_calls: Any = None


class _Choice(msgspec.Struct):
    text: str | None = None
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None


class _Frame(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None
    generation_settings: dict[str, Any] | None = None  # of the last one, where a server tells them


_decode = msgspec.json.Decoder(_Frame).decode


class AnswerReader:
    """Fills a Reply from the bytes of one answer. Raises nothing: what is wrong is said there."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._status = 0
        self._rest = b""
        self._whole: list[bytes] | None = None  # of an answer that is no stream
        self._texts: list[str] = []
        self._is_finished = False

    def begin(self, status: int, content_type: str) -> None:
        self._status = status
        if status != 200 or "event-stream" not in content_type:
            self._whole = []

    def take(self, data: bytes, now_s: float) -> None:
        if self._whole is not None:
            self._whole.append(data)
            return
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            if line.startswith(b"data:"):
                self._line(line[5:].strip(), now_s)

    def end(self, now_s: float, *, is_whole: bool) -> None:
        """`is_whole`: as far as HTTP can tell."""
        reply = self._reply
        if self._whole is not None:
            self._end_of_document(b"".join(self._whole), now_s, is_whole)
        elif self._rest.startswith(b"data:"):
            self._line(self._rest[5:].strip(), now_s)
        reply.text = "".join(self._texts)
        if reply.error:
            return
        if self._is_finished and reply.chunk_s:
            reply.outcome = OK
        elif is_whole and not self._is_finished and not reply.chunk_s:
            reply.outcome, reply.error = "not_understood", "the answer has no tokens"
        else:
            reply.outcome, reply.error = INCOMPLETE, "the answer broke off"

    def _end_of_document(self, document: bytes, now_s: float, is_whole: bool) -> None:
        if self._status == 200 and is_whole:
            self._line(document, now_s)
        elif self._status != 200:
            self._reply.outcome = f"http_{self._status}"
            self._reply.error = document[:_MAX_ERROR_TEXT].decode(errors="replace") or "no reason"

    def _line(self, line: bytes, now_s: float) -> None:
        if line == b"[DONE]":
            self._is_finished = True
            return
        try:
            frame = _decode(line)
        except msgspec.MsgspecError as error:
            self._reply.outcome, self._reply.error = "not_understood", str(error)
            return
        if frame.usage is not None:
            self._count(frame.usage)
        if frame.generation_settings is not None:
            self._reply.settings = frame.generation_settings
        if frame.error is not None:
            text = msgspec.json.encode(frame.error)[:_MAX_ERROR_TEXT].decode(errors="replace")
            self._reply.outcome, self._reply.error = "error_in_stream", text
        for choice in frame.choices or ():
            self._take_choice(choice, now_s)

    def _take_choice(self, choice: _Choice, now_s: float) -> None:
        reply = self._reply
        delta = choice.delta or choice.message
        answer, reasoning = choice.text, None
        calls_tool = False
        if delta is not None:
            answer, reasoning = delta.content, delta.reasoning_content or delta.reasoning
            calls_tool = bool(delta.tool_calls)
        if answer or reasoning or calls_tool:
            reply.chunk_s.append(now_s)
            reply.end_s = now_s
            if reply.answer_s is None and (answer or calls_tool):
                reply.answer_s = now_s
            self._texts.append(answer or "")
        if choice.finish_reason is not None:
            reply.end_s = now_s
            reply.was_cut = choice.finish_reason == "length"
            self._is_finished = True

    def _count(self, usage: _Usage) -> None:
        """The last one that says something counts: some servers tell it with every frame."""
        reply = self._reply
        if usage.prompt_tokens is not None:
            reply.n_input = usage.prompt_tokens
        if usage.completion_tokens is not None:
            reply.n_output = usage.completion_tokens
        if usage.prompt_tokens_details is not None:
            reply.n_cached = usage.prompt_tokens_details.cached_tokens
