"""Log-probabilities in the shapes that clients know."""

from __future__ import annotations

import codecs
import math
from collections.abc import Collection, Iterator, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from jan_engine import Model, TokenLogprob

__all__ = [
    "CompletionLogprobs",
    "Legacy",
    "RankedToken",
    "TokenProbability",
    "ranked_prompt",
    "token_probabilities",
]

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
    token_logprobs: list[float | None] | UnsetType = UNSET  # nothing comes before the first of all
    top_logprobs: list[dict[str, float] | None] | UnsetType = UNSET
    text_offset: list[int] | UnsetType = UNSET  # characters of the answer
    content: list[TokenProbability] | UnsetType = UNSET


class RankedToken(msgspec.Struct):
    """Of a prompt, as vLLM tells it. `rank` is None where the token was none of the best."""

    logprob: float
    rank: int | None
    decoded_token: str


def ranked_prompt(
    tokens: Sequence[int], told: Sequence[list[TokenLogprob] | None], model: Model
) -> list[dict[str, RankedToken] | None]:
    """By token id, for each of a prompt's tokens: its own and the best ones. Nothing comes before
    the first.
    """
    return [
        None if one is None else _ranked(one, model) for _, one in zip(tokens, told, strict=True)
    ]


def _ranked(told: list[TokenLogprob], model: Model) -> dict[str, RankedToken]:
    own, *best = told
    ranks = {one.token: place for place, one in enumerate(best, 1) if one.token >= 0}
    return {
        str(one.token): RankedToken(
            max(one.logprob, _LEAST),
            ranks.get(one.token),
            model.piece(one.token, special=True).decode(errors="replace"),
        )
        for one in (own, *best)
        if one.token >= 0
    }


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


class Legacy:
    """The old four lists, as the tokens of one text come. A prompt's may stand before them."""

    def __init__(self, model: Model, shown_tokens: Collection[int] = ()) -> None:
        """`shown_tokens`: control tokens that stand in the text when they are generated."""
        self._model = model
        self._shown = frozenset(shown_tokens)
        self._offset = 0  # characters of the text before the next token
        self._decoder = _new_decoder()
        self._n_bytes = 0  # of the generated text, up to the tokens that were not taken yet
        self._pieces: list[bytes | None] = []  # of those; None for the prompt's
        self._tokens: list[str] = []
        self._logprobs: list[float | None] = []
        self._best: list[dict[str, float] | None] = []
        self._offsets: list[int] = []

    def add_prompt(self, tokens: Sequence[int], told: Sequence[list[TokenLogprob] | None]) -> None:
        for token, one in zip(tokens, told, strict=True):
            self._add(token, one, special=True)
        self._pieces = [None] * len(tokens)

    def add(self, logprobs: Sequence[TokenLogprob], n_top: int) -> None:
        for chosen, best in _per_token(logprobs, n_top):
            self._add(chosen.token, [chosen, *best], special=chosen.token in self._shown)

    def end(self, text: str) -> None:
        """The whole generated text is this. What of the last tokens is not in it, as a stop text,
        is cut: the tokens together are the text, and each keeps its place.
        """
        left = len(text.encode()) - self._n_bytes
        for place, piece in enumerate(self._pieces):
            if piece is None:
                continue
            if len(piece) > left:
                self._tokens[place] = _legacy_text(piece[: max(0, left)])
            left -= len(piece)

    def take(self) -> CompletionLogprobs:
        """What was added since the last time."""
        taken = CompletionLogprobs(
            tokens=self._tokens,
            token_logprobs=self._logprobs,
            top_logprobs=self._best,
            text_offset=self._offsets,
        )
        self._tokens, self._logprobs, self._best, self._offsets = [], [], [], []
        self._n_bytes += sum(len(piece) for piece in self._pieces if piece is not None)
        self._pieces = []
        return taken

    def _add(self, token: int, told: list[TokenLogprob] | None, *, special: bool) -> None:
        """`told`: the token's own, then those of the best ones. `special`: a control token stands
        in the text, too.
        """
        piece = self._model.piece(token, special=special)
        self._tokens.append(_legacy_text(piece))
        self._pieces.append(piece)
        self._offsets.append(self._offset)
        self._offset += len(self._decoder.decode(piece))
        if told is None:
            self._logprobs.append(None)
            self._best.append(None)
            return
        self._logprobs.append(max(told[0].logprob, _LEAST))
        # The likeliest is named first, and the token itself where it was none of the best.
        best = {} if len(told) == 1 else {self._name(one): one for one in reversed(told)}
        ranked = sorted(best.items(), key=lambda item: item[1].logprob, reverse=True)
        self._best.append({name: max(one.logprob, _LEAST) for name, one in ranked})

    def _name(self, one: TokenLogprob) -> str:
        return _legacy_text(self._model.piece(one.token, special=True))


def _new_decoder() -> codecs.IncrementalDecoder:
    """A character of several tokens counts once, with its last one."""
    return codecs.getincrementaldecoder("utf-8")(errors="replace")


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


def _legacy_text(piece: bytes) -> str:
    """Pieces of a character must not look alike: they are keys here."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in piece)
