"""Answers of a model that is loaded in this process, without a server."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from jan_engine import EngineError
from jan_server.cli.answering import Ask, CannotAnswer, Message, Show
from jan_server.cli.named import with_file
from jan_server.config import Settings
from jan_server.errors import ApiError
from jan_server.inference.generation import GenerationFields
from jan_server.inference.request_sampling import sampling_of
from jan_server.inference.served_model import ServedModel

__all__ = ["local_answers"]


@contextmanager
def local_answers(asked: argparse.Namespace) -> Generator[Ask]:
    """Raises CannotAnswer."""
    settings = Settings(
        model=asked.model, parallel=1, ctx_size=asked.ctx_size, threads=asked.threads
    )
    with asyncio.Runner() as runner:
        try:
            served = ServedModel(with_file(settings))
            runner.run(_load(served))
        except (ApiError, EngineError) as error:
            raise _cannot(error) from None

        def ask(messages: Sequence[Message], show: Show) -> Mapping[str, Any]:
            try:
                return runner.run(
                    _answer(served, asked, messages, show)
                )  # Ctrl-C cancels it, no more
            except (ApiError, EngineError) as error:
                raise _cannot(error) from None

        try:
            yield ask
        finally:
            runner.run(served.close())


async def _load(served: ServedModel) -> None:
    await served.load()
    if served.failure is not None:
        raise served.failure


async def _answer(
    served: ServedModel, asked: argparse.Namespace, messages: Sequence[Message], show: Show
) -> Mapping[str, Any]:
    prompt = served.template.render(messages, enable_thinking=asked.think)
    fields = GenerationFields(temperature=asked.temperature, seed=asked.seed)
    sampling = sampling_of(fields, served, 0)
    request = prompt.request(max_tokens=asked.max_tokens, sampling=sampling)
    answer = prompt.parser()
    async with served.engine.submit(request) as stream:
        async for event in stream:
            for delta in answer.feed(event.text):
                show(delta.reasoning_content, delta.content)
    for delta in answer.finish():
        show(delta.reasoning_content, delta.content)
    return msgspec.structs.asdict(sampling)


def _cannot(error: ApiError | EngineError) -> CannotAnswer:
    if isinstance(error, ApiError):
        return CannotAnswer(error.message, {404: 3, 503: 4}.get(error.status, 1))
    return CannotAnswer(str(error), 3 if error.code == "model_not_found" else 1)
