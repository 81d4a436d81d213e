"""From a completion request to the choices that answer it, and to the whole answer."""

from __future__ import annotations

import time
from functools import partial
from typing import NamedTuple

import msgspec

from jan_engine import CompiledConstraint, Sampling, TokenLogprob, TokenRules
from jan_server.api.completions.schemas import (
    Completion,
    CompletionChoice,
    CompletionRequest,
    PromptWithMedia,
)
from jan_server.aside import aside
from jan_server.errors import ApiError
from jan_server.ids import new_id
from jan_server.inference.choice import Choice, Choices
from jan_server.inference.constraint import compiled_constraint
from jan_server.inference.details import (
    add_details,
    fingerprint,
    generation_settings,
    selected,
    usage_of,
)
from jan_server.inference.generation import (
    cut_prompt,
    engine_request,
    refuse_what_is_missing,
    token_limit,
)
from jan_server.inference.infill import around_gap
from jan_server.inference.pool import Pool
from jan_server.inference.probabilities import (
    CompletionLogprobs,
    Legacy,
    ranked_prompt,
    token_probabilities,
)
from jan_server.inference.request_sampling import drawing_of
from jan_server.inference.served_model import ServedModel
from jan_server.security.principal import Principal
from jan_server.sse import frame

__all__ = ["CompletionJob", "Prompt", "begin"]

_MAX_PROMPTS = 256
_DEFAULT_MAX_TOKENS = 16


class Prompt(NamedTuple):
    text: str | None  # None: given as tokens
    tokens: list[int]


async def begin(asked: CompletionRequest, pool: Pool, principal: Principal) -> CompletionJob:
    """Check everything and submit every choice; or raise, and nothing runs."""
    served = await pool.lease(asked.model)
    refuse_what_is_missing(asked, served.engine.core.n_parallel)
    _refuse_what_contradicts(asked)
    prompts = [await _read(one, asked, served) for one in _given_prompts(asked.prompt)]
    constraint = await compiled_constraint(asked, served)
    shown = await served.control_tokens() if asked.skip_special_tokens is False else ()
    drawing = await drawing_of(asked, served, max(asked.n_choices, asked.best_of or 1))
    return CompletionJob(asked, served, principal, prompts, constraint, shown, drawing)


class CompletionJob:
    """The running choices of one request, in the order of its prompts."""

    def __init__(
        self,
        asked: CompletionRequest,
        served: ServedModel,
        principal: Principal,
        prompts: list[Prompt],
        constraint: CompiledConstraint | None,
        shown_tokens: tuple[int, ...],
        drawing: tuple[list[Sampling], TokenRules | None],
    ) -> None:
        self.asked = asked
        self.model_id = asked.model or served.id
        self.served = served
        self.prompts = prompts
        self.id = new_id("cmpl-")
        self.created = int(time.time())
        self.n = asked.n_choices
        self.n_tried = max(self.n, asked.best_of or 1)
        self.n_top = max(asked.logprobs or 0, asked.n_probs or 0)
        self.wants_logprobs = asked.logprobs is not None or bool(asked.n_probs)
        ranks = self.n_tried > self.n
        samplings, rules = drawing
        n_of_prompt = self.n_top if asked.echo and self.wants_logprobs else None
        if asked.prompt_logprobs is not None:
            n_of_prompt = max(n_of_prompt or 0, asked.prompt_logprobs)
        self.choices = Choices(
            served,
            [
                engine_request(
                    asked,
                    prompt.tokens,
                    sampling,
                    principal,
                    served.adapters,
                    max_tokens=token_limit(asked, _DEFAULT_MAX_TOKENS, served.settings.n_predict),
                    n_top=self.n_top if self.wants_logprobs or ranks else None,
                    shift_context=served.settings.context_shift,
                    constraint=constraint,
                    n_top_of_prompt=n_of_prompt,
                    shown_tokens=shown_tokens,
                    rules=rules,
                )
                for prompt in prompts
                for sampling in samplings
            ],
            asked.shown_stops,
        )
        self._legacy: dict[int, Legacy] = {}  # by a choice's index

    def prompt_of(self, choice: Choice) -> Prompt:
        return self.prompts[choice.index // self.n_tried]

    def echoed(self, choice: Choice) -> str:
        if not self.asked.echo:
            return ""
        text, tokens = self.prompt_of(choice)
        if text is not None:
            return text
        return self.served.model.detokenize(tokens, unparse_special=True).decode(errors="replace")

    def answer(self, choices: list[CompletionChoice]) -> Completion:
        """Whole, or a chunk: one request's all have the same head."""
        return Completion(
            id=self.id,
            created=self.created,
            model=self.model_id,
            system_fingerprint=fingerprint(),
            choices=choices,
        )

    def frame(self, chunk: Completion) -> bytes:
        """As a stream sends it; nothing where nothing of it was asked for."""
        kept = selected(chunk, self.asked.response_fields)
        return frame(kept) if kept else b""

    async def whole(self) -> bytes:
        """The answer, once everything is generated."""
        await self.choices.each(Choice.read)
        return await aside(self._assembled, unless=self.choices.told_little)

    def _assembled(self) -> bytes:
        chosen = self._best()
        answer = self.answer([self._shaped(index, choice) for index, choice in enumerate(chosen)])
        answer.usage = usage_of(self.choices.all, len(self.prompts))
        if self.served.settings.reply_details:
            self.add_details(answer, chosen)
        if self.asked.return_tokens and len(chosen) == 1:
            answer.tokens = chosen[0].tokens
        return msgspec.json.encode(selected(answer, self.asked.response_fields))

    def add_details(self, answer: Completion, choices: list[Choice]) -> None:
        """llama.cpp's further fields, about these choices."""
        first = choices[0]
        settings = generation_settings(self.asked, first, self.served, n_probs=self.n_top)
        add_details(answer, choices, self.served.model, settings, self.prompt_of(first).text)

    def logprobs(self, choice: Choice, told: list[TokenLogprob]) -> CompletionLogprobs | None:
        """Of the choice's next tokens; with `echo` those of the prompt come with the first."""
        if not self.wants_logprobs:
            return None
        if self.asked.n_probs:
            as_probs = bool(self.asked.post_sampling_probs)
            return CompletionLogprobs(
                content=token_probabilities(told, self.n_top, self.served.model, as_probs=as_probs)
            )
        legacy = self._legacy.get(choice.index)
        if legacy is None:
            shown = choice.request.shown_tokens
            legacy = self._legacy[choice.index] = Legacy(self.served.model, shown)
            if self.asked.echo:
                given = [one and one[: 1 + self.n_top] for one in choice.prompt_logprobs]
                legacy.add_prompt(self.prompt_of(choice).tokens, given)
        legacy.add(told, self.n_top)
        if choice.has_ended:
            legacy.end(choice.text)
        return legacy.take()

    def _best(self) -> list[Choice]:
        """Of each prompt's choices the likeliest, per token; in the order they were asked for."""
        if self.n_tried == self.n:
            return self.choices.all
        best: list[Choice] = []
        for start in range(0, len(self.choices.all), self.n_tried):
            tried = self.choices.all[start : start + self.n_tried]
            best += sorted(tried, key=self._likelihood, reverse=True)[: self.n]
        return best

    def _likelihood(self, choice: Choice) -> float:
        chosen = choice.logprobs[:: 1 + self.n_top]
        return sum(told.logprob for told in chosen) / max(1, len(chosen))

    def _shaped(self, index: int, choice: Choice) -> CompletionChoice:
        shaped = CompletionChoice(
            text=self.echoed(choice) + choice.text,
            index=index,
            logprobs=self.logprobs(choice, choice.logprobs),
            finish_reason=choice.finish_reason,
        )
        if self.asked.return_tokens:
            shaped.tokens = choice.tokens
        if (n_top := self.asked.prompt_logprobs) is not None:
            told = [one and one[: 1 + n_top] for one in choice.prompt_logprobs]
            tokens = self.prompt_of(choice).tokens
            shaped.prompt_logprobs = ranked_prompt(tokens, told, self.served.model)
        return shaped


def _refuse_what_contradicts(asked: CompletionRequest) -> None:
    def refuse(param: str, why: str) -> None:
        raise ApiError(400, "invalid_parameter", f"{param}: {why}", param=param)

    if asked.suffix and not isinstance(asked.prompt, str):
        refuse("suffix", "needs a prompt that is one text")
    if asked.best_of is not None and asked.best_of < asked.n_choices:
        refuse("best_of", "must be at least n")
    if asked.best_of is not None and asked.stream and asked.best_of > asked.n_choices:
        refuse("best_of", "a stream cannot take back what turns out not to be the best")
    if asked.echo and asked.n_probs:
        refuse("n_probs", "is of generated tokens only; logprobs has those of an echo too")


def _given_prompts(
    given: str | list[str | int | list[int]] | PromptWithMedia,
) -> list[str | list[int]]:
    def refuse(why: str) -> ApiError:
        return ApiError(400, "invalid_parameter", f"prompt: {why}", param="prompt")

    if isinstance(given, PromptWithMedia):
        if given.multimodal_data:
            raise refuse("the model reads text only")
        return [given.prompt_string]
    if isinstance(given, str):
        return [given]
    tokens = [one for one in given if isinstance(one, int)]
    prompts = [one for one in given if not isinstance(one, int)]
    if tokens and prompts:
        raise refuse("tokens and texts do not mix in one list")
    if tokens:
        return [tokens]
    if not prompts:
        raise refuse("is empty")
    if len(prompts) > _MAX_PROMPTS:
        raise refuse(f"more than {_MAX_PROMPTS} in one request")
    return list(prompts)


async def _read(given: str | list[int], asked: CompletionRequest, served: ServedModel) -> Prompt:
    is_cut = asked.truncate_prompt_tokens is not None
    if isinstance(given, str):
        served.refuse_what_cannot_fit("prompt", given, is_cut=is_cut)
    if not isinstance(given, str):
        tokens = given
    elif asked.suffix:
        served.refuse_what_cannot_fit("suffix", asked.suffix, is_cut=is_cut)
        first = served.settings.spm_infill
        work = partial(around_gap, given, asked.suffix, served.model, suffix_first=first)
        tokens = await served.text_work.run(work, len(given) + len(asked.suffix))
    else:
        add_special = asked.add_special_tokens is not False
        tokens = await served.tokenize(given, add_special=add_special, parse_special=True)
    kept = cut_prompt(asked, tokens, served.engine.core.n_ctx)
    return Prompt(given if isinstance(given, str) and len(kept) == len(tokens) else None, kept)
