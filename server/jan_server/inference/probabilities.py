"""Log-probabilities in the shapes that clients know."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate

import msgspec
from msgspec import UNSET, UnsetType

from jan_engine import Model, TokenLogprob

__all__ = ["CompletionLogprobs", "TokenProbability", "legacy_logprobs", "token_probabilities"]

_LEAST = -9999.0  # JSON has no infinity


class TokenProbability(msgspec.Struct):
    """llama.cpp's shape, and of its names OpenAI's chat shape is made."""

    id: int
    token: str
    bytes: list[int]
    logprob: float | UnsetType = UNSET
    prob: float | UnsetType = UNSET
    top_logprobs: list[TokenProbability] | UnsetType = UNSET
    top_probs: list[TokenProbability] | UnsetType = UNSET


class CompletionLogprobs(msgspec.Struct, kw_only=True):
    """Of /v1/completions: OpenAI's old four lists, or with n_probs llama.cpp's `content`."""

    tokens: list[str] | UnsetType = UNSET
    token_logprobs: list[float] | UnsetType = UNSET
    top_logprobs: list[dict[str, float]] | UnsetType = UNSET
    text_offset: list[int] | UnsetType = UNSET  # characters of the answer
    content: list[TokenProbability] | UnsetType = UNSET


def token_probabilities(
    logprobs: Sequence[TokenLogprob], n_top: int, model: Model, *, as_probs: bool
) -> list[TokenProbability]:
    """`as_probs`: probabilities instead of their logarithms."""
    return [
        _with_best(
            _one(chosen, model, as_probs=as_probs),
            [_one(token, model, as_probs=as_probs) for token in best],
            as_probs=as_probs,
        )
        for chosen, best in _per_token(logprobs, n_top)
    ]


def legacy_logprobs(
    logprobs: Sequence[TokenLogprob], n_top: int, model: Model, offset: int
) -> CompletionLogprobs:
    """`offset` is where the first of these tokens begins."""
    told = list(_per_token(logprobs, n_top))
    tokens = [_text(chosen.token, model) for chosen, _ in told]
    ends = accumulate((len(text) for text in tokens), initial=offset)
    return CompletionLogprobs(
        tokens=tokens,
        token_logprobs=[max(chosen.logprob, _LEAST) for chosen, _ in told],
        top_logprobs=[
            {_text(token.token, model): max(token.logprob, _LEAST) for token in best}
            for _, best in told
        ],
        text_offset=list(ends)[:-1],
    )


def _per_token(
    logprobs: Sequence[TokenLogprob], n_top: int
) -> Iterator[tuple[TokenLogprob, list[TokenLogprob]]]:
    """The chosen token, and the best ones; the engine tells them one after the other."""
    for first in range(0, len(logprobs), 1 + n_top):
        best = logprobs[first + 1 : first + 1 + n_top]
        yield logprobs[first], [token for token in best if token.token >= 0]


def _one(told: TokenLogprob, model: Model, *, as_probs: bool) -> TokenProbability:
    piece = model.piece(told.token, special=True)
    shaped = TokenProbability(told.token, piece.decode(errors="replace"), list(piece))
    if as_probs:
        shaped.prob = math.exp(told.logprob)
    else:
        shaped.logprob = max(told.logprob, _LEAST)
    return shaped


def _with_best(
    chosen: TokenProbability, best: list[TokenProbability], *, as_probs: bool
) -> TokenProbability:
    if as_probs:
        chosen.top_probs = best
    else:
        chosen.top_logprobs = best
    return chosen


def _text(token: int, model: Model) -> str:
    return model.piece(token, special=True).decode(errors="replace")
