"""Filling a gap: what comes before and after it, in the order a model of code was trained on."""

from __future__ import annotations

from jan_engine import Model
from jan_server.errors import ApiError

__all__ = ["around_gap"]


def around_gap(prefix: str, suffix: str, model: Model) -> list[int]:
    """The prompt whose answer belongs between the two. Raises 400 where a model knows no gaps."""
    vocab = model.vocab
    if min(vocab.fim_pre, vocab.fim_suf, vocab.fim_mid) < 0:
        message = "suffix: the model has no tokens that stand around a gap"
        raise ApiError(400, "unsupported_feature", message, param="suffix")
    before, after = (
        model.tokenize(text, add_special=False, parse_special=False) for text in (prefix, suffix)
    )
    opening = [vocab.bos] if vocab.adds_bos and vocab.bos >= 0 else []
    return [*opening, vocab.fim_pre, *before, vocab.fim_suf, *after, vocab.fim_mid]
