"""Models that look their positions up in a table, which ends somewhere."""

from __future__ import annotations

from collections.abc import Iterator

import gguf as gguf_writer
import pytest

from bench.shapes import Shape
from jan_engine import ContextOverflow, GreedyRunner, Model
from tests import models

N_POSITIONS = 300  # upstream rounds a context up, past the end of this


class Gpt2(Shape):
    def describe(self, writer: gguf_writer.GGUFWriter, n_vocab: int) -> None:
        super().describe(writer, n_vocab)
        writer.add_layer_norm_eps(self.norm_epsilon)

    def tensors(self, n_vocab: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield "token_embd.weight", (n_vocab, self.n_embd)
        yield "position_embd.weight", (self.n_ctx, self.n_embd)
        for layer in range(self.n_layer):
            for name, dims in (
                ("attn_norm", (self.n_embd,)),
                ("attn_qkv", (3 * self.n_embd, self.n_embd)),
                ("attn_output", (self.n_embd, self.n_embd)),
                ("ffn_norm", (self.n_embd,)),
                ("ffn_up", (self.n_ff, self.n_embd)),
                ("ffn_down", (self.n_embd, self.n_ff)),
            ):
                yield f"blk.{layer}.{name}.weight", dims
                yield f"blk.{layer}.{name}.bias", dims[:1]
        yield "output_norm.weight", (self.n_embd,)
        yield "output_norm.bias", (self.n_embd,)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    shape = Gpt2(
        architecture="gpt2",
        n_layer=1,
        n_embd=64,
        n_head=4,
        n_head_kv=4,
        n_ff=128,
        n_ctx=N_POSITIONS,
    )
    return Model(models.write_random(tmp_path_factory.mktemp("gpt2") / "m.gguf", shape=shape))


@pytest.mark.parametrize("n_ctx", [0, N_POSITIONS, 1000])
def test_a_context_ends_with_the_table_of_positions(model: Model, n_ctx: int) -> None:
    runner = GreedyRunner(model, n_ctx=n_ctx)
    assert runner.core.n_ctx == N_POSITIONS
    runner.core.feed([models.BOS] * N_POSITIONS)
    with pytest.raises(ContextOverflow):
        runner.core.feed([models.BOS])


def test_a_shorter_context_stays_as_short(model: Model) -> None:
    assert GreedyRunner(model, n_ctx=256).core.n_ctx == 256
