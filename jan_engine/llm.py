"""The engine for scripts: prompts in, answers out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from jan_engine.constraint import CompiledConstraint, Constraint, compile_constraint
from jan_engine.errors import EngineClosed, QueueFull
from jan_engine.exit import close_at_exit
from jan_engine.kernel import AttentionKernel
from jan_engine.model import Model
from jan_engine.sampling import Sampling
from jan_engine.types import (
    Completion,
    EngineOptions,
    Event,
    Request,
    open_core,
    read_event,
    submit,
)

__all__ = ["LLM"]


class LLM:
    """A model and an engine for one thread. All prompts of a call run together."""

    def __init__(self, model: Model | str | Path, options: EngineOptions | None = None) -> None:
        self.model = model if isinstance(model, Model) else Model(model)
        self.core, self._kernel = open_core(self.model, options or EngineOptions())
        close_at_exit(self)

    def generate(
        self,
        prompts: Sequence[str | list[int] | Request],
        *,
        max_tokens: int | None = None,
        stop: Sequence[str] = (),
        sampling: Sampling | None = None,
        constraint: Constraint | None = None,
    ) -> list[Completion]:
        """One answer per prompt, in order. A Request brings its own of everything else.

        Ctrl-C and errors cancel what is still running. Raises the first error there was.
        """
        answers: dict[int, Event] = {}
        order: list[int] = []
        n_open = 0
        try:
            for prompt in prompts:
                request = (
                    msgspec.structs.replace(prompt, stream=False)
                    if isinstance(prompt, Request)
                    else Request(
                        prompt=prompt,
                        max_tokens=max_tokens,
                        stop=list(stop),
                        sampling=sampling,
                        constraint=constraint,
                        stream=False,
                    )
                )
                tokens = request.prompt
                if isinstance(tokens, str):
                    tokens = self.model.tokenize(tokens, parse_special=True)
                while True:
                    try:
                        order.append(submit(self.core, self.model, request, tokens))
                        break
                    except QueueFull:  # more prompts than may wait: some must end first
                        if not n_open:
                            raise
                        n_open -= self._read(answers)
                n_open += 1
            while n_open:
                n_open -= self._read(answers)
        finally:
            if n_open:
                self._cancel(order, answers)
        return [_completion(answers[request_id]) for request_id in order]

    def compile(self, constraint: Constraint) -> CompiledConstraint:
        """A constraint for any number of this engine's requests. Raises InvalidRequest."""
        return compile_constraint(self.core, constraint)

    @property
    def attention_kernel(self) -> AttentionKernel:
        """Which one computes here, and the figures that decided it."""
        return self._kernel

    def _read(self, answers: dict[int, Event]) -> int:
        told = self.core.take(0.2)  # not for ever, so that Ctrl-C is heard
        if told is None:
            raise EngineClosed("the engine was closed")
        for record in told:
            answers[record[0]] = read_event(record)
        return len(told)

    def _cancel(self, order: list[int], answers: dict[int, Event]) -> None:
        for request_id in order:
            self.core.cancel(request_id)
        while len(answers) < len(order):
            self._read(answers)

    def close(self) -> None:
        self.core.close(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _completion(event: Event) -> Completion:
    assert event.finish is not None  # without streaming there is one event, the last
    if event.finish.error is not None:
        raise event.finish.error
    return Completion(
        text=event.text,
        tokens=event.tokens,
        logprobs=event.logprobs,
        finish=event.finish,
        prompt_logprobs=event.prompt_logprobs,
    )
