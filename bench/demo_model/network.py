"""The network, as llama.cpp's "llama" architecture computes it, and its training step."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

__all__ = ["SHAPE", "Batch", "Shape", "Weights", "initial", "n_parameters", "step"]

Weights = dict[str, jax.Array]  # by the names of a GGUF file; a layer's are stacked


class Shape(NamedTuple):
    n_vocab: int = 1280
    n_embd: int = 160
    n_ff: int = 448
    n_layer: int = 6
    n_head: int = 5
    rope_base: float = 10_000.0
    norm_eps: float = 1e-5

    @property
    def n_per_head(self) -> int:
        return self.n_embd // self.n_head


SHAPE = Shape()


class Batch(NamedTuple):
    tokens: jax.Array  # (rows, n + 1)
    lessons: jax.Array  # which conversation of its row a token belongs to
    counts: jax.Array  # how much it counts that a token is foretold


def initial(seed: int, shape: Shape = SHAPE) -> Weights:
    keys = iter(jax.random.split(jax.random.key(seed), 8))
    n_layer, n_embd, n_ff = shape.n_layer, shape.n_embd, shape.n_ff

    def normal(*dims: int, scale: float = 0.02) -> jax.Array:
        return scale * jax.random.normal(next(keys), dims, jnp.float32)

    out = 0.02 / (2 * n_layer) ** 0.5  # what adds to the stream starts small
    return {
        "token_embd": normal(shape.n_vocab, n_embd),
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


def _normed(x: jax.Array, weight: jax.Array, eps: float) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + eps) * weight


def _rotated(x: jax.Array, shape: Shape) -> jax.Array:
    """Neighbours in a head are a pair, as in the files that llama.cpp reads."""
    n = shape.n_per_head
    rates = shape.rope_base ** (-jnp.arange(0, n, 2) / n)
    angles = jnp.arange(x.shape[1])[:, None, None] * rates
    even, odd = x[..., ::2], x[..., 1::2]
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    return jnp.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(x.shape)


def _logits(weights: Weights, batch: Batch, shape: Shape) -> jax.Array:
    tokens, lessons = batch.tokens[:, :-1], batch.lessons[:, :-1]
    n_rows, n = tokens.shape
    seen = (lessons[:, :, None] == lessons[:, None, :]) & jnp.tril(jnp.ones((n, n), bool))

    def heads(x: jax.Array, weight: jax.Array) -> jax.Array:
        return (x @ weight.T).reshape(n_rows, n, shape.n_head, shape.n_per_head)

    def layer(x: jax.Array, w: Weights) -> tuple[jax.Array, None]:
        y = _normed(x, w["attn_norm"], shape.norm_eps)
        q, k = _rotated(heads(y, w["attn_q"]), shape), _rotated(heads(y, w["attn_k"]), shape)
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * shape.n_per_head**-0.5
        scores = jax.nn.softmax(jnp.where(seen[:, None], scores, -1e30), -1)
        read = jnp.einsum("bhqk,bkhd->bqhd", scores, heads(y, w["attn_v"]))
        x = x + read.reshape(x.shape) @ w["attn_output"].T
        y = _normed(x, w["ffn_norm"], shape.norm_eps)
        y = jax.nn.silu(y @ w["ffn_gate"].T) * (y @ w["ffn_up"].T)
        return x + y @ w["ffn_down"].T, None

    stacked = {name: w for name, w in weights.items() if name not in ("token_embd", "output_norm")}
    x, _ = jax.lax.scan(layer, weights["token_embd"][tokens], stacked)
    return _normed(x, weights["output_norm"], shape.norm_eps) @ weights["token_embd"].T


def _loss(weights: Weights, batch: Batch, shape: Shape) -> jax.Array:
    losses = optax.softmax_cross_entropy_with_integer_labels(
        _logits(weights, batch, shape), batch.tokens[:, 1:]
    )
    counts = batch.counts[:, 1:] * (batch.lessons[:, 1:] == batch.lessons[:, :-1])
    return jnp.sum(losses * counts) / jnp.sum(counts)


@partial(jax.jit, static_argnames=("optimizer", "shape"), donate_argnums=(0, 1))
def step(
    weights: Weights,
    state: optax.OptState,
    batch: Batch,
    optimizer: optax.GradientTransformation,
    shape: Shape = SHAPE,
) -> tuple[Weights, optax.OptState, jax.Array]:
    loss, gradients = jax.value_and_grad(_loss)(weights, batch, shape)
    updates, state = optimizer.update(gradients, state, weights)
    return optax.apply_updates(weights, updates), state, loss
