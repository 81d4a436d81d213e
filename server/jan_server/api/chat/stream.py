"""A chat answer as it is generated: from the engine's events to frames."""

from __future__ import annotations

from msgspec import UNSET

from jan_engine import ChatDelta, Event, PromptProgress
from jan_server.answers import Frames
from jan_server.api.chat.schemas import (
    CalledFunction,
    ChatChunk,
    ChunkChoice,
    Delta,
    ToolCallPart,
)
from jan_server.api.chat.service import ChatJob
from jan_server.inference.chat_reader import ChatReader
from jan_server.inference.choice import Choice
from jan_server.inference.details import reading_progress, timings_so_far
from jan_server.sse import TextFrame, frame

__all__ = ["stream_chat"]


async def stream_chat(job: ChatJob, frames: Frames) -> None:
    """Every choice side by side, then the usage if it was asked for."""
    asked = job.asked
    is_plain = not (job.wants_logprobs or asked.tells_more_than_text)

    async def send(choice: Choice) -> None:
        writer = (_Writer if is_plain else _DetailWriter)(job, job.readers[choice.index])
        async for event in choice.stream:
            choice.take(event)
            if bytes_ := writer.frames(event):
                await frames.emit(bytes_)

    await job.choices.each(send)
    if asked.stream_options is not None and asked.stream_options.include_usage:
        chunk = job.chunk([])
        chunk.usage = job.usage()
        if bytes_ := job.frame(chunk):
            await frames.emit(bytes_)


class _Writer:
    """The common case: nothing changes from frame to frame but a text."""

    def __init__(self, job: ChatJob, reader: ChatReader) -> None:
        self._job = job
        self._reader = reader
        self._of_content = TextFrame(self._chunk(Delta(content=TextFrame.MARK)))
        self._of_reasoning = TextFrame(self._chunk(Delta(reasoning_content=TextFrame.MARK)))
        self._opening = job.frame(self._chunk(Delta(role="assistant", content="")))

    def frames(self, event: Event) -> bytes:
        """What the event says, all at once; nothing while it may still become a tag."""
        said = self._said(event)
        if event.finish is not None:
            said += self._last()
        if said and self._opening:
            said, self._opening = self._opening + said, b""
        return said

    def _said(self, event: Event) -> bytes:
        deltas = self._reader.read(event)
        return self._frame(deltas[0]) if len(deltas) == 1 else b"".join(map(self._frame, deltas))

    def _frame(self, delta: ChatDelta) -> bytes:
        if delta.content:
            return self._of_content.of(delta.content)
        if delta.reasoning_content:
            return self._of_reasoning.of(delta.reasoning_content)
        return frame(self._chunk(self._delta(delta)))

    def _delta(self, delta: ChatDelta) -> Delta:
        if delta.tool_call is None:
            return Delta(
                content=delta.content or UNSET, reasoning_content=delta.reasoning_content or UNSET
            )
        call = delta.tool_call
        function = CalledFunction(name=call.name or UNSET, arguments=call.arguments)
        if self._job.asked.functions:
            return Delta(function_call=function) if call.index == 0 else Delta()
        part = ToolCallPart(index=call.index, function=function)
        if call.name:
            part.id, part.type = call.id, "function"
        return Delta(tool_calls=[part])

    def _chunk(self, delta: Delta) -> ChatChunk:
        return self._job.chunk([ChunkChoice(index=self._reader.choice.index, delta=delta)])

    def _last(self) -> bytes:
        chunk = self._chunk(Delta())
        chunk.choices[0].finish_reason = self._job.finish_reason(self._reader)
        if self._job.served.settings.reply_details:
            self._job.add_details(chunk, [self._reader])
        return self._job.frame(chunk)


class _DetailWriter(_Writer):
    """With what was asked about each token, also about those whose text is held back."""

    def _said(self, event: Event) -> bytes:
        asked = self._job.asked
        if event.progress is not None and not event.tokens and event.finish is None:
            return self._progress(event.progress)
        deltas = [self._delta(delta) for delta in self._reader.read(event)]
        if event.tokens and not deltas:
            deltas = [Delta()]
        chunks = [self._chunk(delta) for delta in deltas]
        for chunk in chunks[:1]:
            if event.logprobs:
                chunk.choices[0].logprobs = self._job.logprobs(event.logprobs)
            if asked.return_tokens:
                chunk.tokens = event.tokens
            if asked.timings_per_token:
                chunk.timings = timings_so_far(self._reader.choice)
        said = b"".join(map(self._job.frame, chunks))
        return said if event.progress is None else self._progress(event.progress) + said

    def _progress(self, told: PromptProgress) -> bytes:
        chunk = self._chunk(Delta())
        chunk.prompt_progress = reading_progress(self._reader.choice, told)
        return self._job.frame(chunk)
