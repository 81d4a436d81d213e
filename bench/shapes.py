"""The shapes of model families, and the GGUF files they imply, without any weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import gguf


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A dense transformer of the llama kind."""

    architecture: str
    n_layer: int
    n_embd: int
    n_head: int
    n_head_kv: int
    n_ff: int
    n_ctx: int
    rope_base: float = 10_000.0
    norm_epsilon: float = 1e-5
    tied_output: bool = False  # the output head is the embedding table
    qkv_bias: bool = False

    def describe(self, writer: gguf.GGUFWriter, n_vocab: int) -> None:
        """Write the metadata that makes llama.cpp build this shape."""
        writer.add_block_count(self.n_layer)
        writer.add_context_length(self.n_ctx)
        writer.add_embedding_length(self.n_embd)
        writer.add_feed_forward_length(self.n_ff)
        writer.add_head_count(self.n_head)
        writer.add_head_count_kv(self.n_head_kv)
        writer.add_layer_norm_rms_eps(self.norm_epsilon)
        writer.add_rope_freq_base(self.rope_base)
        writer.add_rope_dimension_count(self.n_embd // self.n_head)
        writer.add_vocab_size(n_vocab)

    def tensors(self, n_vocab: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Every tensor's name and numpy shape (rows first), in file order."""
        n_kv = self.n_embd // self.n_head * self.n_head_kv
        yield "token_embd.weight", (n_vocab, self.n_embd)
        for layer in range(self.n_layer):
            block = f"blk.{layer}"
            yield f"{block}.attn_norm.weight", (self.n_embd,)
            for name, width in (("q", self.n_embd), ("k", n_kv), ("v", n_kv)):
                yield f"{block}.attn_{name}.weight", (width, self.n_embd)
                if self.qkv_bias:
                    yield f"{block}.attn_{name}.bias", (width,)
            yield f"{block}.attn_output.weight", (self.n_embd, self.n_embd)
            yield f"{block}.ffn_norm.weight", (self.n_embd,)
            yield f"{block}.ffn_gate.weight", (self.n_ff, self.n_embd)
            yield f"{block}.ffn_up.weight", (self.n_ff, self.n_embd)
            yield f"{block}.ffn_down.weight", (self.n_embd, self.n_ff)
        yield "output_norm.weight", (self.n_embd,)
        if not self.tied_output:
            yield "output.weight", (n_vocab, self.n_embd)


QWEN2_0_5B = Shape(
    architecture="qwen2",
    n_layer=24,
    n_embd=896,
    n_head=14,
    n_head_kv=2,
    n_ff=4864,
    n_ctx=32768,
    rope_base=1_000_000.0,
    norm_epsilon=1e-6,
    tied_output=True,
    qkv_bias=True,
)

LLAMA_3_2_1B = Shape(
    architecture="llama",
    n_layer=16,
    n_embd=2048,
    n_head=32,
    n_head_kv=8,
    n_ff=8192,
    n_ctx=131072,
    rope_base=500_000.0,
    tied_output=True,
)

NANO = Shape(
    architecture="llama",
    n_layer=4,
    n_embd=256,
    n_head=8,
    n_head_kv=4,
    n_ff=768,
    n_ctx=8192,
)
