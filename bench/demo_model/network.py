"""The network, as llama.cpp's "llama" architecture computes it, and its training step."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from bench.shapes import Shape

__all__ = ["N_VOCAB", "SHAPE", "Batch", "Weights", "initial", "n_parameters", "step"]

Weights = dict[str, jax.Array]  # by the names of a GGUF file; a layer's are stacked


N_VOCAB = 1280
SHAPE = Shape(
    architecture="llama",
    n_layer=6,
    n_embd=160,
    n_head=5,
    n_head_kv=5,
    n_ff=448,
    n_ctx=1024,
    tied_output=True,
)
N_PER_HEAD = SHAPE.n_embd // SHAPE.n_head


class Batch(NamedTuple):
    tokens: jax.Array  # (rows, n + 1)
    lessons: jax.Array  # which conversation of its row a token belongs to
    counts: jax.Array  # how much it counts that a token is foretold


def initial(seed: int) -> Weights:
    keys = iter(jax.random.split(jax.random.key(seed), 8))
    n_layer, n_embd, n_ff = SHAPE.n_layer, SHAPE.n_embd, SHAPE.n_ff

    def normal(*dims: int, scale: float = 0.02) -> jax.Array:
        return scale * jax.random.normal(next(keys), dims, jnp.float32)

    out = 0.02 / (2 * n_layer) ** 0.5  # what adds to the stream starts small
    return {
        "token_embd": normal(N_VOCAB, n_embd),
        "attn_q": normal(n_layer, n_embd, n_embd, scale=0.05),
        "attn_k": normal(n_layer, n_embd, n_embd, scale=0.05),
        "attn_v": normal(n_layer, n_embd, n_embd, scale=0.05),
        "attn_output": normal(n_layer, n_embd, n_embd, scale=out),
        "ffn_gate": normal(n_layer, n_ff, n_embd, scale=0.05),
        "ffn_up": normal(n_layer, n_ff, n_embd, scale=0.05),
        "ffn_down": normal(n_layer, n_embd, n_ff, scale=out),
        "attn_norm": jnp.ones((n_layer, n_embd)),
        "ffn_norm": jnp.ones((n_layer, n_embd)),
        "output_norm": jnp.ones(n_embd),
    }


def n_parameters(weights: Weights) -> int:
    return sum(weight.size for weight in weights.values())


def _normed(x: jax.Array, weight: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + SHAPE.norm_epsilon) * weight


def _rotated(x: jax.Array) -> jax.Array:
    """Neighbours in a head are a pair, as in the files that llama.cpp reads."""
    rates = SHAPE.rope_base ** (-jnp.arange(0, N_PER_HEAD, 2) / N_PER_HEAD)
    angles = jnp.arange(x.shape[1])[:, None, None] * rates
    even, odd = x[..., ::2], x[..., 1::2]
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    return jnp.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(x.shape)


def _logits(weights: Weights, batch: Batch) -> jax.Array:
    tokens, lessons = batch.tokens[:, :-1], batch.lessons[:, :-1]
    n_rows, n = tokens.shape
    seen = (lessons[:, :, None] == lessons[:, None, :]) & jnp.tril(jnp.ones((n, n), bool))

    def heads(x: jax.Array, weight: jax.Array) -> jax.Array:
        return (x @ weight.T).reshape(n_rows, n, SHAPE.n_head, N_PER_HEAD)

    def layer(x: jax.Array, w: Weights) -> tuple[jax.Array, None]:
        y = _normed(x, w["attn_norm"])
        q, k = _rotated(heads(y, w["attn_q"])), _rotated(heads(y, w["attn_k"]))
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * N_PER_HEAD**-0.5
        scores = jax.nn.softmax(jnp.where(seen[:, None], scores, -1e30), -1)
        read = jnp.einsum("bhqk,bkhd->bqhd", scores, heads(y, w["attn_v"]))
        x = x + read.reshape(x.shape) @ w["attn_output"].T
        y = _normed(x, w["ffn_norm"])
        y = jax.nn.silu(y @ w["ffn_gate"].T) * (y @ w["ffn_up"].T)
        return x + y @ w["ffn_down"].T, None

    stacked = {name: w for name, w in weights.items() if name not in ("token_embd", "output_norm")}
    x, _ = jax.lax.scan(layer, weights["token_embd"][tokens], stacked)
    return _normed(x, weights["output_norm"]) @ weights["token_embd"].T


def _loss(weights: Weights, batch: Batch) -> jax.Array:
    losses = optax.softmax_cross_entropy_with_integer_labels(
        _logits(weights, batch), batch.tokens[:, 1:]
    )
    counts = batch.counts[:, 1:] * (batch.lessons[:, 1:] == batch.lessons[:, :-1])
    return jnp.sum(losses * counts) / jnp.sum(counts)


@partial(jax.jit, static_argnames="optimizer", donate_argnums=(0, 1))
def step(
    weights: Weights,
    state: optax.OptState,
    batch: Batch,
    optimizer: optax.GradientTransformation,
) -> tuple[Weights, optax.OptState, jax.Array]:
    loss, gradients = jax.value_and_grad(_loss)(weights, batch)
    updates, state = optimizer.update(gradients, state, weights)
    return optax.apply_updates(weights, updates), state, loss
