"""Tasks of lm-evaluation-harness on an engine in this process.

    lm_eval.simple_evaluate(harness_model("model.gguf"), tasks=["arc_easy"])

The harness (`pip install jan-engine[lm-eval]`) is imported when a model is made for it, not before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from jan_engine.llm import LLM
from jan_engine.model import Model
from jan_engine.sampling import Sampling
from jan_engine.types import Completion, EngineOptions, Request

__all__ = ["Scorer", "harness_model"]

_MAX_NEW_TOKENS = 256  # the harness's own default
_Texts = str | list[int] | Request


class Asked(Protocol):
    """What the harness calls an Instance."""

    @property
    def args(self) -> tuple[Any, ...]: ...


class Scorer:
    """The three questions that tasks ask, all requests of a call at once."""

    def __init__(self, llm: LLM) -> None:
        self.llm = llm
        vocab = llm.model.vocab
        # What a text with nothing before it is taken to follow.
        self.first = [vocab.bos if vocab.bos >= 0 else vocab.eos]

    def loglikelihood(self, requests: Sequence[Asked]) -> list[tuple[float, bool]]:
        """Of each (context, continuation): the continuation's, and whether it is what comes."""
        pairs = [self._split(*request.args) for request in requests]
        return self._scores(pairs)

    def loglikelihood_rolling(self, requests: Sequence[Asked]) -> list[float]:
        """Of each whole text; what exceeds a context is scored in windows that are as full."""
        windows = [list(self._windows(request.args[0])) for request in requests]
        found = iter(self._scores([window for text in windows for window in text]))
        return [sum(next(found)[0] for _ in text) for text in windows]

    def generate_until(self, requests: Sequence[Asked]) -> list[str]:
        """Of each (context, settings) what comes, up to one of the settings' `until`."""
        asks: list[_Texts] = [self._generation(*request.args) for request in requests]
        return [answer.text for answer in self.llm.generate(asks)]

    def _split(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        model = self.llm.model
        if not context:
            return self.first, model.tokenize(continuation, add_special=False)
        text = context.rstrip()  # a space goes with the word that follows it
        before = model.tokenize(text)
        whole = model.tokenize(context + continuation)
        return whole[: len(before)], whole[len(before) :]

    def _windows(self, text: str) -> Iterator[tuple[list[int], list[int]]]:
        tokens = self.first + self.llm.model.tokenize(text, add_special=False)
        n_most = self.llm.core.n_ctx - 1
        for begin in range(1, len(tokens), n_most):
            end = min(begin + n_most, len(tokens))
            yield tokens[max(0, end - n_most - 1) : begin], tokens[begin:end]

    def _scores(self, pairs: Sequence[tuple[list[int], list[int]]]) -> list[tuple[float, bool]]:
        asks: list[_Texts] = []
        for context, continuation in pairs:
            prompt = (context + continuation)[-self.llm.core.n_ctx :]
            start = max(1, len(prompt) - len(continuation))
            asks.append(
                Request(prompt=prompt, max_tokens=0, prompt_logprobs=1, prompt_logprobs_from=start)
            )
        return [_score(answer) for answer in self.llm.generate(asks)]

    def _generation(self, context: str, settings: Mapping[str, Any]) -> Request:
        until: str | list[str] = settings.get("until") or []
        n_new = int(settings.get("max_gen_toks", _MAX_NEW_TOKENS))
        temperature = float(settings.get("temperature", 0.0)) if settings.get("do_sample") else 0.0
        prompt = self.llm.model.tokenize(context) or self.first
        drawn = Sampling(
            temperature=temperature,
            top_p=float(settings.get("top_p", 1.0)),
            top_k=int(settings.get("top_k", 0)),
        )
        return Request(
            prompt=prompt[-max(1, self.llm.core.n_ctx - n_new) :],
            max_tokens=n_new,
            stop=[until] if isinstance(until, str) else until,
            sampling=drawn if temperature > 0 else None,
        )


def _score(answer: Completion) -> tuple[float, bool]:
    found = [place for place in answer.prompt_logprobs or [] if place is not None]
    return (
        sum(own.logprob for own, _ in found),
        all(own.logprob >= best.logprob for own, best in found),
    )


def harness_model(model: Model | str | Path, options: EngineOptions | None = None) -> Any:  # noqa: ANN401
    """A model as the harness takes it. Raises ImportError where there is no harness."""
    base: Any = import_module("lm_eval.api.model").LM
    made = type("HarnessModel", (Scorer, base), {})
    found = made(LLM(model, options))
    base.__init__(found)
    return found
