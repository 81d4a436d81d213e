"""One sequence of an answer while it is generated, and the set that an answer is made of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from jan_engine import (
    EngineClosed,
    Event,
    Finish,
    FinishReason,
    Request,
    Stream,
    TokenLogprob,
)
from jan_server.answers import CallerGone
from jan_server.inference.served_model import ServedModel
from jan_server.telemetry.record import Generated, current_record

__all__ = ["Choice", "Choices"]

_LITTLE = 100_000  # bytes, roughly


class Choice:
    """Reads its stream to the end."""

    def __init__(
        self,
        index: int,
        request: Request,
        stream: Stream,
        served: ServedModel,
        shown_stops: frozenset[str],
    ) -> None:
        """The model's admission has let its prompt in, and is told when that has been read. Of
        stop texts, `shown_stops` stay in the text.
        """
        self.index = index
        self.request = request
        self.stream = stream
        self._model_id = served.id
        self._n_ctx = served.n_ctx
        self._admission = served.admission
        self._shown_stops = shown_stops
        self._n_waiting = len(request.prompt)
        self._record = current_record()
        self._submitted_s = time.monotonic()
        self.caller_gone = False
        self.text = ""
        self.tokens: list[int] = []
        self.logprobs: list[TokenLogprob] = []
        self.prompt_logprobs: list[list[TokenLogprob] | None] = []
        self.n_tokens = 0
        self.first_at_s = 0.0
        self._finish: Finish | None = None

    @property
    def finish(self) -> Finish:
        if self._finish is None:
            raise RuntimeError("this choice has not ended")
        return self._finish

    def take(self, event: Event) -> None:
        """Look at an event. Raises what ended the request too early, if that is what it says."""
        if not self.n_tokens and event.tokens:
            self.first_at_s = time.monotonic()
            self.leave_queue()
        self.n_tokens += len(event.tokens)
        if event.prompt_logprobs is not None:
            self.prompt_logprobs = event.prompt_logprobs
        if event.finish is not None:
            if event.finish.stop in self._shown_stops:
                event.text += event.finish.stop
            self._finish = event.finish
            self.leave_queue()
            self._note_end(event.finish)
            self._check_end(event.finish)

    async def read(self) -> None:
        """To the end, keeping everything."""
        texts: list[str] = []
        async for event in self.stream:
            self.take(event)
            texts.append(event.text)
            self.tokens += event.tokens
            self.logprobs += event.logprobs
        self.text = "".join(texts)

    @property
    def has_ended(self) -> bool:
        return self._finish is not None

    @property
    def is_truncated(self) -> bool:
        """The context was full: its middle was forgotten, or the text ended there."""
        usage = self.finish.usage
        most = self.request.max_tokens
        return usage.truncated or (
            self.finish.reason is FinishReason.LENGTH
            and usage.n_prompt + usage.n_generated > self._n_ctx
            and (most is None or usage.n_generated < most)
        )

    @property
    def finish_reason(self) -> str:
        return "stop" if self.finish.reason is FinishReason.STOP else "length"

    @property
    def stop_type(self) -> str:
        if self.finish.reason is not FinishReason.STOP:
            return "limit"
        return "eos" if self.finish.stop is None else "word"

    def leave_queue(self) -> None:
        """Its prompt has been read, or nobody wants it any more."""
        if self._n_waiting:
            self._admission.read(self._n_waiting)
            self._n_waiting = 0

    def _note_end(self, finish: Finish) -> None:
        if self._record is None:
            return
        self._record.generated.append(
            Generated(
                model=self._model_id,
                n_prompt=finish.usage.n_prompt,
                n_cached=finish.usage.n_cached,
                n_out=self.n_tokens,
                max_tokens=self.request.max_tokens,
                reason="abort" if finish.reason is FinishReason.CANCELLED else finish.reason.value,
                submitted_s=self._submitted_s,
                first_token_s=self.first_at_s,
                ended_s=time.monotonic(),
            )
        )

    def _check_end(self, finish: Finish) -> None:
        if finish.reason is FinishReason.FAILED and finish.error is not None:
            raise finish.error
        if finish.reason is FinishReason.CANCELLED:
            raise CallerGone if self.caller_gone else EngineClosed("the server ends")


class Choices:
    """All choices of one answer, side by side."""

    def __init__(
        self,
        served: ServedModel,
        requests: Iterable[Request],
        shown_stops: frozenset[str] = frozenset(),
    ) -> None:
        """Submit every request, or none if one of them is refused. See Choice."""
        self.all: list[Choice] = []
        try:
            for index, request in enumerate(requests):
                self.all.append(_submitted(index, request, served, shown_stops))
        except BaseException:
            self.leave()
            raise
        record = current_record()
        if record is not None:
            record.n_choices += len(self.all)

    def leave(self) -> None:
        """The caller has gone, or has all it wants: what still runs ends with the next step."""
        for choice in self.all:
            choice.caller_gone = True
            choice.stream.cancel()
            choice.leave_queue()

    @property
    def told_little(self) -> bool:
        """So little that an answer of it is assembled in a millisecond."""
        n_told = sum(
            len(one.text)
            + 20 * (len(one.logprobs) + len(one.request.prompt))
            + 500 * len(one.prompt_logprobs)
            for one in self.all
        )
        return n_told < _LITTLE

    async def each(self, work: Callable[[Choice], Coroutine[Any, Any, None]]) -> None:
        """Do the same with every choice. The first failure ends them all and is raised."""
        if len(self.all) == 1:
            await work(self.all[0])
            return
        tasks = [asyncio.create_task(work(choice)) for choice in self.all]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _submitted(
    index: int, request: Request, served: ServedModel, shown_stops: frozenset[str]
) -> Choice:
    """Raises QueueFull, or 503 where too much waits to be read."""
    served.admission.enter(len(request.prompt))
    try:
        stream = served.engine.submit(request)
    except BaseException:
        served.admission.read(len(request.prompt))
        raise
    return Choice(index, request, stream, served, shown_stops)
