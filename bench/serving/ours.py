"""Our engine, in this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.serving.load import Answer, Ask
from jan_engine import AsyncEngine, EngineOptions, JsonSchema, Request, Stream

__all__ = ["Ours"]


class Ours:
    def __init__(self, name: str, model: Path, options: EngineOptions) -> None:
        self.name = name
        self.loop = asyncio.new_event_loop()
        self.engine = self.loop.run_until_complete(_open(model, options))

    def run(self, asks: Sequence[Ask], *, stream: bool) -> list[Answer]:
        return self.loop.run_until_complete(self._run(asks, stream))

    async def _run(self, asks: Sequence[Ask], stream: bool) -> list[Answer]:
        began = time.perf_counter()
        return await asyncio.gather(*(self._one(ask, stream, began) for ask in asks))

    async def _one(self, ask: Ask, stream: bool, began: float) -> Answer:
        if ask.start_s:
            await asyncio.sleep(began + ask.start_s - time.perf_counter())
        answer = Answer(sent_s=time.perf_counter() - began)
        request = Request(
            prompt=ask.prompt,
            max_tokens=ask.n_out,
            ignore_eos=True,
            stream=stream,
            constraint=None if ask.schema is None else JsonSchema(ask.schema),
        )
        events: Stream = self.engine.submit(request)
        if ask.cancel_s is not None:
            self.loop.call_at(self.loop.time() + ask.cancel_s - answer.sent_s, events.cancel)
        async for event in events:
            now = time.perf_counter() - began
            answer.token_s += [now] * len(event.tokens)
            answer.n_out += len(event.tokens)
            if event.finish is not None:
                answer.n_cached = event.finish.usage.n_cached
                answer.n_evaluated = event.finish.usage.n_evaluated
        return answer

    def stats(self) -> dict[str, Any]:
        return self.engine.stats()

    def close(self) -> None:
        self.loop.run_until_complete(self.engine.close())
        self.loop.close()


async def _open(model: Path, options: EngineOptions) -> AsyncEngine:
    engine = AsyncEngine(model, options)
    await engine.submit(Request(prompt=[1], max_tokens=1)).result()  # measured itself, and warm
    return engine
