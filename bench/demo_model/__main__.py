"""python -m bench.demo_model FILE.gguf: trains the demo model, on a CPU, in well under an hour.

What it learns is written by conversations.py; nothing is read from elsewhere. The same seed on
the same machine gives the same file. It needs `pip install --group demo`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import jax
import numpy as np
import optax
from tokenizers import Tokenizer

from bench.demo_model.conversations import conversations
from bench.demo_model.gguf_file import write
from bench.demo_model.network import Batch, initial, n_parameters, step
from bench.demo_model.vocabulary import Lesson, learn, lesson

N_TOKENS = 256  # of a row
N_ROWS = 16
REST_COUNTS = 0.05  # beside an answer's token, one of the question


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()

    begun_s = time.monotonic()
    tokenizer = learn()
    weights = initial(asked.seed)
    print(f"{n_parameters(weights) / 1e6:.2f} M parameters, {tokenizer.get_vocab_size()} tokens")
    rate = optax.warmup_cosine_decay_schedule(0, 2.5e-3, asked.steps // 20, asked.steps, 5e-5)
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(rate, b2=0.95, weight_decay=0.05)
    )
    state = optimizer.init(weights)
    for i, batch in enumerate(islice(batches(tokenizer, asked.seed), asked.steps)):
        weights, state, loss = step(weights, state, batch, optimizer)
        if i % 50 == 0 or i == asked.steps - 1:
            print(f"step {i}: loss {loss:.4f}, {time.monotonic() - begun_s:.0f} s", flush=True)
    write(asked.file, {name: np.asarray(weight) for name, weight in weights.items()}, tokenizer)
    print(f"{asked.file}: {asked.file.stat().st_size / 1e6:.2f} MB")


def batches(tokenizer: Tokenizer, seed: int) -> Iterator[Batch]:
    """Rows of whole conversations, as many as fit, without end."""
    lessons = (lesson(tokenizer, one) for one in conversations(seed))
    held: list[Lesson] = []
    while True:
        rows = [_row(lessons, held) for _ in range(N_ROWS)]
        yield jax.tree.map(lambda *columns: np.stack(columns), *rows)


def _row(lessons: Iterator[Lesson], held: list[Lesson]) -> Batch:
    """`held` is what did not fit into the row before."""
    tokens = np.zeros(N_TOKENS + 1, np.int32)
    owners = np.full(N_TOKENS + 1, -1, np.int32)
    counts = np.zeros(N_TOKENS + 1, np.float32)
    at = n_taken = 0
    while at < N_TOKENS:
        ids, is_learnt = held.pop() if held else next(lessons)
        if at and at + len(ids) > N_TOKENS + 1:
            held.append((ids, is_learnt))
            break
        n = min(len(ids), N_TOKENS + 1 - at)
        tokens[at : at + n] = ids[:n]
        owners[at : at + n] = n_taken
        counts[at : at + n] = np.where(is_learnt[:n], 1.0, REST_COUNTS)
        at += n
        n_taken += 1
    return Batch(tokens, owners, counts)


if __name__ == "__main__":
    main()
