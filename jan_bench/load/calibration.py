"""How many tokens a text will be for a server, learned from its own counts of two short texts."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import msgspec

from jan_bench.load.client import Client
from jan_bench.load.reply import Prompt, Reply
from jan_bench.load.words import random_text
from jan_engine import Unavailable

__all__ = ["Scale", "calibrate", "scale_of"]

_SHORT, _LONG = 8, 72  # words


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    n_fixed: float = 0.0  # tokens of an empty prompt: a beginning, a chat template
    per_word: float = 1.0
    per_letter: float = 0.25

    def n_words(self, n_tokens: int) -> int:
        return max(1, round((n_tokens - self.n_fixed) / self.per_word))

    def n_tokens(self, text: str) -> int:
        """Of any text, less what every prompt has, as a guess: real ones have longer words."""
        return round(len(text) * self.per_letter)


def scale_of(tokenize: Callable[[str], Sequence[object]], seed: str) -> Scale:
    """What a server with this tokeniser would be found to have."""
    texts = _texts(seed)
    return _scale(texts, [len(tokenize(text)) for text in texts])


async def calibrate(client: Client, seed: str) -> Scale:
    """Raises Unavailable where the server does not answer, with what it said instead."""
    texts = _texts(seed)
    counts: list[int] = []
    for text in texts:
        reply = Reply(scheduled_s=client.now_s)
        await client.ask(Prompt(text=text, n_output=1), reply)
        if reply.outcome not in ("ok", "incomplete", "not_understood"):
            raise Unavailable(f"the server refused the first request: {reply.outcome}", reply.error)
        if reply.n_input is None:
            return Scale()  # it does not count: a word is about a token
        counts.append(reply.n_input)
    return _scale(texts, counts)


def _texts(seed: str) -> list[str]:
    rng = random.Random(f"{seed}, calibration")
    return [random_text(n_words, rng) for n_words in (_SHORT, _LONG)]


def _scale(texts: Sequence[str], counts: Sequence[int]) -> Scale:
    n_more = counts[1] - counts[0]
    per_word = max(n_more / (_LONG - _SHORT), 0.01)
    per_letter = max(n_more / (len(texts[1]) - len(texts[0])), 0.002)
    n_fixed = max(counts[1] - _LONG * per_word, 0.0)
    return Scale(n_fixed=n_fixed, per_word=per_word, per_letter=per_letter)
