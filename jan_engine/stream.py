"""One request's events on their way to one reader.

A reader that is slow finds everything that came meanwhile in one event: it falls behind in
events, never in text, and what waits for it is never more than its own answer.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from jan_engine.types import Completion, Event, TokenLogprob

if TYPE_CHECKING:  # who has a loop has it imported; scripts do without
    import asyncio

__all__ = ["Stream"]


class Stream:
    """An async iterator of events, for one task on the loop that submitted the request.

    Leave it before its end and the request is cancelled: by `async with`, by `cancel()`, or at
    the latest when the stream is forgotten.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, cancel: Callable[[], None]) -> None:
        self.loop = loop
        self._cancel = cancel
        self._pending: Event | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False  # the last event has come
        self._read = False  # and was given to the reader

    def deliver(self, event: Event) -> None:
        """Take an event in. On the loop's thread."""
        if self._pending is None:
            self._pending = event
        else:
            self._pending.extend(event)
        self._ended = event.finish is not None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def cancel(self) -> None:
        """End the request before the engine's next step. From any thread, at any time.

        The events up to then can still be read; the last says "cancelled".
        """
        if not self._ended:
            self._cancel()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if self._read:
            raise StopAsyncIteration
        while self._pending is None:
            self._waiter = self.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        # Text and end are taken in one go: an end looked for later could lose text.
        event, self._pending = self._pending, None
        self._read = event.finish is not None
        return event

    async def result(self) -> Completion:
        """Read to the end. Raises the error of a request that failed."""
        texts: list[str] = []
        tokens: list[int] = []
        logprobs: list[TokenLogprob] = []
        of_prompt: list[list[TokenLogprob] | None] | None = None
        async for event in self:
            if event.prompt_logprobs is not None:
                of_prompt = event.prompt_logprobs
            texts.append(event.text)
            tokens += event.tokens
            logprobs += event.logprobs
            if event.finish is not None:
                if event.finish.error is not None:
                    raise event.finish.error
                return Completion(
                    text="".join(texts),
                    tokens=tokens,
                    logprobs=logprobs,
                    finish=event.finish,
                    prompt_logprobs=of_prompt,
                )
        raise RuntimeError("this stream was read to its end before")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cancel()  # not awaited: whoever leaves may be cancelled itself

    def __del__(self) -> None:
        self.cancel()
