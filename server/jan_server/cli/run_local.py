"""An answer of a model that is loaded in this process, without a server."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence

from jan_engine import EngineError, Sampling
from jan_server.cli.named import with_file
from jan_server.cli.say import say
from jan_server.config import Settings
from jan_server.errors import ApiError
from jan_server.inference.served_model import ServedModel

__all__ = ["run_local"]


def run_local(
    asked: argparse.Namespace,
    messages: Sequence[dict[str, str]],
    show: Callable[[str, str], None],
) -> int:
    """`show` hears what was thought and what was said."""
    settings = Settings(
        model=asked.model, parallel=1, ctx_size=asked.ctx_size, threads=asked.threads
    )
    try:
        served = ServedModel(with_file(settings))
        asyncio.run(_answer(served, asked, messages, show))
    except ApiError as error:
        say(f"error: {error.message}")
        return 3 if error.status == 404 else 4 if error.status == 503 else 1
    except EngineError as error:
        say(f"error: {error}")
        return 3 if error.code == "model_not_found" else 1
    return 0


async def _answer(
    served: ServedModel,
    asked: argparse.Namespace,
    messages: Sequence[dict[str, str]],
    show: Callable[[str, str], None],
) -> None:
    await served.load()
    if served.failure is not None:
        raise served.failure
    try:
        prompt = served.template.render(messages, enable_thinking=asked.think)
        sampling = Sampling(
            temperature=asked.temperature,
            top_k=40,
            top_p=0.95,
            min_p=0.05,
            repeat_penalty=1.1,
            seed=asked.seed,
        )
        request = prompt.request(max_tokens=asked.max_tokens, sampling=sampling)
        answer = prompt.parser()
        async with served.engine.submit(request) as stream:
            async for event in stream:
                for delta in answer.feed(event.text):
                    show(delta.reasoning_content, delta.content)
        for delta in answer.finish():
            show(delta.reasoning_content, delta.content)
    finally:
        await served.close()
