"""A model of nothing but zeros, whose matrices are of every type that people serve.

It takes milliseconds to write and to run, and leads a forward pass through all the kernels that a
CPU variant has for them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from jan_engine.tensor_types import tensor_types

__all__ = ["write_trial_model"]

_TYPES = (
    *("q4_K", "q6_K", "q8_0", "q4_0", "f16", "bf16", "q5_K", "iq4_xs", "q4_1", "q5_0"),
    *("q5_1", "q2_K", "q3_K", "iq4_nl", "mxfp4", "iq3_s", "iq2_xs", "f32"),
)
_N_LAYERS = 3  # seven matrices each: as many as there are types, at least
_WIDTH = 256  # the longest block of any type
_N_HEADS = 4
_N_VOCAB = 64  # AMX takes matrices with a multiple of 32 rows
_N_CTX = 128
_ALIGNMENT = 32
_U32, _I32, _F32, _STRING, _ARRAY = 4, 5, 6, 8, 9
_NORMAL, _CONTROL = 1, 3  # kinds of token


def write_trial_model(path: Path) -> None:
    """Raises OSError."""
    ids = {name: (kind, block) for kind, (name, *block) in tensor_types().items()}
    heads: list[bytes] = []
    n_bytes = 0
    for name, type_name, shape in _tensors():
        kind, (n_block, block_bytes) = ids[type_name]
        dims = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        heads.append(_string(name) + dims + struct.pack("<IQ", kind, n_bytes))
        n_numbers = shape[0] * (shape[1] if len(shape) > 1 else 1)
        n_bytes += _padded(n_numbers // n_block * block_bytes)
    pairs = list(_metadata())
    header = b"GGUF" + struct.pack("<IQQ", 3, len(heads), len(pairs)) + b"".join(pairs + heads)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(_padded(len(header)) + n_bytes)


def _tensors() -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Name, type and shape, the row's length first."""
    types = cycle(_TYPES)
    square = (_WIDTH, _WIDTH)
    yield "token_embd.weight", "q8_0", (_WIDTH, _N_VOCAB)
    for layer in range(_N_LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{norm}.weight", "f32", (_WIDTH,)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
            yield f"blk.{layer}.{part}.weight", next(types), square
    yield "output_norm.weight", "f32", (_WIDTH,)
    yield "output.weight", "q6_K", (_WIDTH, _N_VOCAB)


def _metadata() -> Iterator[bytes]:
    numbers = {
        "block_count": _N_LAYERS,
        "context_length": _N_CTX,
        "embedding_length": _WIDTH,
        "feed_forward_length": _WIDTH,
        "attention.head_count": _N_HEADS,
        "attention.head_count_kv": _N_HEADS,
        "rope.dimension_count": _WIDTH // _N_HEADS,
        "vocab_size": _N_VOCAB,
    }
    yield _pair("general.architecture", _STRING, _string("llama"))
    for name, number in numbers.items():
        yield _pair(f"llama.{name}", _U32, struct.pack("<I", number))
    yield _pair("llama.attention.layer_norm_rms_epsilon", _F32, struct.pack("<f", 1e-5))
    yield _pair("tokenizer.ggml.model", _STRING, _string("llama"))
    tokens = ["<unk>", "<s>", *(f"t{index}" for index in range(2, _N_VOCAB))]
    kinds = [_CONTROL] * 2 + [_NORMAL] * (_N_VOCAB - 2)
    yield _array("tokens", _STRING, [_string(token) for token in tokens])
    yield _array("scores", _F32, [struct.pack("<f", 0)] * _N_VOCAB)
    yield _array("token_type", _I32, [struct.pack("<i", kind) for kind in kinds])


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _pair(key: str, kind: int, value: bytes) -> bytes:
    return _string(key) + struct.pack("<I", kind) + value


def _array(name: str, kind: int, elements: list[bytes]) -> bytes:
    head = struct.pack("<IQ", kind, len(elements))
    return _pair(f"tokenizer.ggml.{name}", _ARRAY, head + b"".join(elements))


def _padded(n_bytes: int) -> int:
    return n_bytes + -n_bytes % _ALIGNMENT
