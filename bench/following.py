"""Weights with which the last token settles the next one, while every layer is computed in full.

Noise does not repeat itself, so it says nothing about guessing ahead. Here every matrix has the
size and type it has in the real family and is multiplied like there, but what attention and
feed-forward add is a thousandth of the embedding, and the output head is made of embeddings: a
token's row is the sum of those it may follow. Which is which depends on the ids alone:

- RING: each token is followed by the next, the last by the first.
- COIN: by one of two, both as likely: what followed it the last time is right half of the time.
- all others: by the next id.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["COIN", "RING", "UNSEEN", "following_weights"]

RING = range(1000, 1120)
COIN = range(2000, 2064)
UNSEEN = range(10_000, 150_000)  # far from its end, nothing is said twice

_SMALL = np.float32(1e-3)
_SURE = np.float32(30)  # the logit of what follows; those of all others together weigh nothing


def following_weights(noise: Iterator[tuple[str, np.ndarray]]) -> Iterator[tuple[str, np.ndarray]]:
    embedding = np.empty(0)
    for name, weights in noise:
        if name == "token_embd.weight":
            embedding = weights
        elif name == "output.weight":
            yield name, _head(embedding)
            continue
        elif name.endswith(("attn_output.weight", "ffn_down.weight")):
            weights *= _SMALL
        yield name, weights


def _head(embedding: np.ndarray) -> np.ndarray:
    head = np.zeros_like(embedding)
    ids = np.arange(len(embedding))
    apart = np.isin(ids, [*RING, *COIN])
    others = ids[~apart]
    head[np.roll(others, -1)] = embedding[others]
    for one, two in zip(RING, [*RING[1:], RING[0]], strict=True):
        head[two] = embedding[one]
    for i, one in enumerate(COIN):
        for step in (1, 7):
            head[COIN[(i + step) % len(COIN)]] += embedding[one]
    # Embeddings have a length near 1, and the last norm makes their numbers so large on average.
    return head * (_SURE / np.float32(embedding.shape[1] ** 0.5))
