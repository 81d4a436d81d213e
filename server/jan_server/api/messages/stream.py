"""A message as it is generated: blocks that are opened, filled and closed one after the other."""

from __future__ import annotations

import msgspec

from jan_engine import ChatDelta, Event
from jan_server.answers import Frames
from jan_server.api.messages.schemas import (
    Block,
    BlockDelta,
    BlockStart,
    BlockStop,
    InputJson,
    MessageDelta,
    MessageStart,
    MessageStop,
    Signature,
    Text,
    TextPiece,
    Thinking,
    ThinkingPiece,
    ToolUse,
)
from jan_server.api.messages.service import MessageJob
from jan_server.sse import TextFrame, frame

__all__ = ["stream_message"]


async def stream_message(job: MessageJob, frames: Frames) -> None:
    writer = _Writer(job)
    async for event in job.choice.stream:
        job.choice.take(event)
        if said := writer.frames(event):
            await frames.emit(said)


class _Writer:
    """Of the blocks one is open at a time; each kind of text, and each call, has its own."""

    def __init__(self, job: MessageJob) -> None:
        self._job = job
        self._opening = _named(MessageStart(job.message([], job.usage_before())))
        self._index = -1
        self._open: str | int | None = None  # a kind of text, or the number of a call
        self._pieces: TextFrame | None = None  # of the open block

    def frames(self, event: Event) -> bytes:
        said = b"".join(map(self._said, self._job.reader.read(event)))
        if event.finish is not None:
            said += self._closed()
            said += _named(MessageDelta(self._job.end(), self._job.usage()))
            said += _named(MessageStop())
        if said and self._opening:
            said, self._opening = self._opening + said, b""
        return said

    def _said(self, delta: ChatDelta) -> bytes:
        call = delta.tool_call
        if call is not None:
            start = self._opened(call.index, ToolUse(call.id, call.name, {}), InputJson(_MARK))
            return start + self._piece(call.arguments)
        if delta.reasoning_content:
            start = self._opened("thinking", Thinking(""), ThinkingPiece(_MARK))
            return start + self._piece(delta.reasoning_content)
        return self._opened("text", Text(""), TextPiece(_MARK)) + self._piece(delta.content)

    def _piece(self, text: str) -> bytes:
        return self._pieces.of(text) if text and self._pieces is not None else b""

    def _opened(
        self, what: str | int, block: Block, piece: TextPiece | ThinkingPiece | InputJson
    ) -> bytes:
        """Nothing if it is the one that is open."""
        if self._open == what:
            return b""
        closed = self._closed()
        self._index += 1
        self._open = what
        self._pieces = TextFrame(BlockDelta(self._index, piece), "content_block_delta")
        return closed + _named(BlockStart(self._index, block))

    def _closed(self) -> bytes:
        if self._open is None:
            return b""
        is_thinking = self._open == "thinking"
        self._open = None
        signed = _named(BlockDelta(self._index, Signature())) if is_thinking else b""
        return signed + _named(BlockStop(self._index))


_MARK = TextFrame.MARK


def _named(event: msgspec.Struct) -> bytes:
    return frame(event, str(event.__struct_config__.tag))
