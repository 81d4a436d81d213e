"""Tiny seeded files of architectures other than the plain transformer, written in milliseconds.

What they say is noise, but every earlier token matters to it: recurrent states decay slowly,
and where there is a sliding window another layer sees everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import gguf
import numpy as np

from tests.models import BOS, BYTE_SYMBOLS, EOS, N_SPECIAL

N_VOCAB = N_SPECIAL + 256
N_EMBD, N_FF, N_HEAD, N_HEAD_KV, N_PER_HEAD = 64, 96, 4, 2, 16
N_INNER, N_STATE, N_CONV, N_STEP_RANK = 2 * N_EMBD, 16, 4, 8
N_EXPERT, N_EXPERT_USED = 4, 2
N_WINDOW = 32
N_CHUNK = 8192  # of llama4, whatever its file says
N_POSITIONS = 128  # of the encoders

Dims = tuple[int, ...]
Named = tuple[str, Dims]
Weights = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What makes llama.cpp build a graph: metadata without the name in front, and tensors."""

    name: str
    metadata: Mapping[str, bool | int | float | list[int] | list[str]]
    tensors: tuple[Named, ...]


def weights(architecture: Architecture, *, seed: int = 7) -> Weights:
    rng = np.random.default_rng(seed)
    return {name: _weight(name, dims, rng) for name, dims in architecture.tensors}


def write(path: Path, architecture: Architecture, *, seed: int = 7) -> Path:
    writer = gguf.GGUFWriter(path, architecture.name)
    for key, value in architecture.metadata.items():
        if not key.startswith("tokenizer."):
            key = f"{architecture.name}.{key}"
        match value:
            case bool():
                writer.add_bool(key, value)
            case int():
                writer.add_uint32(key, value)
            case float():
                writer.add_float32(key, value)
            case list():
                writer.add_array(key, value)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(["<s>", "</s>", *BYTE_SYMBOLS])
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_token_types([control] * N_SPECIAL + [normal] * 256)
    writer.add_token_merges([f"{BYTE_SYMBOLS[0xFF]} {BYTE_SYMBOLS[0xFF]}"])  # there must be one
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_add_bos_token(True)
    for name, tensor in weights(architecture, seed=seed).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _weight(name: str, dims: Dims, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal(dims, np.float32)
    match name.split(".", 2)[-1] if name.startswith("blk.") else name:
        case "ssm_a":  # minus the rates at which the parts of a state decay
            return np.broadcast_to(-np.linspace(0.1, 4, dims[1], dtype=np.float32), dims).copy()
        case "ssm_d":
            return np.ones(dims, np.float32)
        case "ssm_dt.bias":  # what softplus makes a step of 0.01 to 0.1
            return np.log(np.expm1(rng.uniform(0.01, 0.1, dims))).astype(np.float32)
        case "post_attention_norm.weight" | "post_ffw_norm.weight":
            return 8 + noise / 10  # else the embedding of the last token outweighs every layer
        case "attn_q.weight" | "ssm_x.weight":  # some tokens count far more than others
            return 3 * noise * np.float32(dims[-1] ** -0.5)
        case other if other.endswith("norm.weight"):
            return 1 + noise / 10
        case other if other.endswith(".bias"):
            return noise / 10
        case _:
            return noise * np.float32(dims[-1] ** -0.5)


def _layers(*layers: tuple[Named, ...]) -> Iterator[Named]:
    for i, tensors in enumerate(layers):
        for name, dims in tensors:
            yield f"blk.{i}.{name}", dims


_ENDS: tuple[Named, ...] = (
    ("token_embd.weight", (N_VOCAB, N_EMBD)),
    ("output_norm.weight", (N_EMBD,)),
)
_OUTPUT: tuple[Named, ...] = (("output.weight", (N_VOCAB, N_EMBD)),)
_MAMBA: tuple[Named, ...] = (
    ("attn_norm.weight", (N_EMBD,)),
    ("ssm_in.weight", (2 * N_INNER, N_EMBD)),
    ("ssm_conv1d.weight", (N_INNER, N_CONV)),
    ("ssm_conv1d.bias", (N_INNER,)),
    ("ssm_x.weight", (N_STEP_RANK + 2 * N_STATE, N_INNER)),
    ("ssm_dt.weight", (N_INNER, N_STEP_RANK)),
    ("ssm_dt.bias", (N_INNER,)),
    ("ssm_a", (N_INNER, N_STATE)),
    ("ssm_d", (N_INNER,)),
    ("ssm_out.weight", (N_EMBD, N_INNER)),
)
_MAMBA_NORMS: tuple[Named, ...] = (
    ("ssm_dt_norm.weight", (N_STEP_RANK,)),
    ("ssm_b_norm.weight", (N_STATE,)),
    ("ssm_c_norm.weight", (N_STATE,)),
)
_ATTENTION: tuple[Named, ...] = (
    ("attn_norm.weight", (N_EMBD,)),
    ("attn_q.weight", (N_HEAD * N_PER_HEAD, N_EMBD)),
    ("attn_k.weight", (N_HEAD_KV * N_PER_HEAD, N_EMBD)),
    ("attn_v.weight", (N_HEAD_KV * N_PER_HEAD, N_EMBD)),
    ("attn_output.weight", (N_EMBD, N_HEAD * N_PER_HEAD)),
)
_FEED_FORWARD: tuple[Named, ...] = (
    ("ffn_norm.weight", (N_EMBD,)),
    ("ffn_gate.weight", (N_FF, N_EMBD)),
    ("ffn_up.weight", (N_FF, N_EMBD)),
    ("ffn_down.weight", (N_EMBD, N_FF)),
)
_EXPERTS: tuple[Named, ...] = (
    ("ffn_norm.weight", (N_EMBD,)),
    ("ffn_gate_inp.weight", (N_EXPERT, N_EMBD)),
    ("ffn_gate_exps.weight", (N_EXPERT, N_FF, N_EMBD)),
    ("ffn_up_exps.weight", (N_EXPERT, N_FF, N_EMBD)),
    ("ffn_down_exps.weight", (N_EXPERT, N_EMBD, N_FF)),
)
_POST_NORMS: tuple[Named, ...] = (
    ("post_attention_norm.weight", (N_EMBD,)),
    ("post_ffw_norm.weight", (N_EMBD,)),
)

_SIZES: Mapping[str, int | float] = {
    "context_length": 1024,
    "embedding_length": N_EMBD,
    "attention.layer_norm_rms_epsilon": 1e-5,
    "vocab_size": N_VOCAB,
}
_STATE_SIZES: Mapping[str, int] = {
    "ssm.conv_kernel": N_CONV,
    "ssm.inner_size": N_INNER,
    "ssm.state_size": N_STATE,
    "ssm.time_step_rank": N_STEP_RANK,
}
_ATTENTION_SIZES: Mapping[str, int | float] = {
    "feed_forward_length": N_FF,
    "attention.head_count": N_HEAD,
    "attention.head_count_kv": N_HEAD_KV,
    "attention.key_length": N_PER_HEAD,
    "attention.value_length": N_PER_HEAD,
    "rope.dimension_count": N_PER_HEAD,
    "rope.freq_base": 10_000.0,
}

MAMBA = Architecture(
    name="mamba",
    metadata={**_SIZES, **_STATE_SIZES, "block_count": 2},
    tensors=(*_ENDS, *_OUTPUT, *_layers(_MAMBA, _MAMBA)),
)

_JAMBA_STATE = _MAMBA + _MAMBA_NORMS + _FEED_FORWARD
JAMBA = Architecture(
    name="jamba",
    metadata={
        **_SIZES,
        **_STATE_SIZES,
        **_ATTENTION_SIZES,
        "block_count": 3,
        "attention.head_count_kv": [0, N_HEAD_KV, 0],  # none: a recurrent layer
    },
    tensors=(
        *_ENDS,
        *_OUTPUT,
        *_layers(_JAMBA_STATE, _ATTENTION + _FEED_FORWARD, _JAMBA_STATE),
    ),
)

_GEMMA2_LAYER = _ATTENTION + _FEED_FORWARD + _POST_NORMS
GEMMA2 = Architecture(
    name="gemma2",
    metadata={
        **_SIZES,
        **_ATTENTION_SIZES,
        "block_count": 2,  # the first has the window, the second sees everything
        "attention.sliding_window": N_WINDOW,
    },
    tensors=(*_ENDS, *_layers(_GEMMA2_LAYER, _GEMMA2_LAYER)),
)

_CONVOLUTION: tuple[Named, ...] = (
    ("attn_norm.weight", (N_EMBD,)),
    ("shortconv.conv.weight", (N_EMBD, N_CONV)),
    ("shortconv.in_proj.weight", (3 * N_EMBD, N_EMBD)),
    ("shortconv.out_proj.weight", (N_EMBD, N_EMBD)),
)
_HEAD_NORMS: tuple[Named, ...] = (
    ("attn_q_norm.weight", (N_PER_HEAD,)),
    ("attn_k_norm.weight", (N_PER_HEAD,)),
)
LFM2 = Architecture(
    name="lfm2",
    metadata={
        **_SIZES,
        **_ATTENTION_SIZES,
        "block_count": 3,
        "attention.head_count_kv": [0, N_HEAD_KV, 0],  # none: a convolution, which has a state
        "attention.sliding_window": 2 * N_WINDOW,  # of all that attend: it does forget
        "shortconv.l_cache": N_CONV,
    },
    tensors=(
        ("token_embd.weight", (N_VOCAB, N_EMBD)),
        ("token_embd_norm.weight", (N_EMBD,)),
        *_layers(
            _CONVOLUTION + _FEED_FORWARD,
            _ATTENTION + _HEAD_NORMS + _FEED_FORWARD,
            _CONVOLUTION + _FEED_FORWARD,
        ),
    ),
)

LLAMA4 = Architecture(
    name="llama4",
    metadata={
        **_SIZES,
        **_ATTENTION_SIZES,
        "context_length": 2 * N_CHUNK,
        "block_count": 4,  # the last sees everything, the others their chunk of upstream's length
        "attention.chunk_size": N_CHUNK,
        "expert_count": N_EXPERT,
        "expert_used_count": 1,
        "expert_feed_forward_length": N_FF,
        "interleave_moe_layer_step": 5,  # so that no layer here has experts
    },
    tensors=(*_ENDS, *_OUTPUT, *_layers(*[_ATTENTION + _FEED_FORWARD] * 4)),
)

MIXTRAL = Architecture(
    name="llama",
    metadata={
        **_SIZES,
        **_ATTENTION_SIZES,
        "block_count": 2,
        "expert_count": N_EXPERT,
        "expert_used_count": N_EXPERT_USED,
    },
    tensors=(*_ENDS, *_OUTPUT, *_layers(_ATTENTION + _EXPERTS, _ATTENTION + _EXPERTS)),
)


def _biased(name: str, n_out: int, n_in: int) -> tuple[Named, ...]:
    return ((f"{name}.weight", (n_out, n_in)), (f"{name}.bias", (n_out,)))


def _layer_norm(name: str) -> tuple[Named, ...]:
    return ((f"{name}.weight", (N_EMBD,)), (f"{name}.bias", (N_EMBD,)))


_BERT_LAYER = (
    *_biased("attn_q", N_EMBD, N_EMBD),
    *_biased("attn_k", N_EMBD, N_EMBD),
    *_biased("attn_v", N_EMBD, N_EMBD),
    *_biased("attn_output", N_EMBD, N_EMBD),
    *_layer_norm("attn_output_norm"),
    *_biased("ffn_up", N_FF, N_EMBD),
    *_biased("ffn_down", N_EMBD, N_FF),
    *_layer_norm("layer_output_norm"),
)


def bert(pooling: gguf.PoolingType) -> Architecture:
    """An encoder without a head, whose file says how its vectors are pooled."""
    return Architecture(
        name="bert",
        metadata={
            "context_length": N_POSITIONS,
            "embedding_length": N_EMBD,
            "feed_forward_length": N_FF,
            "block_count": 2,
            "attention.head_count": N_HEAD,
            "attention.layer_norm_epsilon": 1e-5,
            "attention.causal": False,
            "pooling_type": int(pooling),
            "tokenizer.ggml.token_type_count": 2,
        },
        tensors=(
            ("token_embd.weight", (N_VOCAB, N_EMBD)),
            ("token_types.weight", (2, N_EMBD)),
            ("position_embd.weight", (N_POSITIONS, N_EMBD)),
            *_layer_norm("token_embd_norm"),
            *_layers(_BERT_LAYER, _BERT_LAYER),
        ),
    )


def ranker(n_labels: int = 1) -> Architecture:
    """An encoder that scores: two layers on top of the first token's vector."""
    encoder = bert(gguf.PoolingType.RANK)
    labels = [f"label {i}" for i in range(n_labels)]
    return replace(
        encoder,
        metadata={**encoder.metadata, "classifier.output_labels": labels},
        tensors=(
            *encoder.tensors,
            *_biased("cls", N_EMBD, N_EMBD),
            *_biased("cls.output", n_labels, N_EMBD),
        ),
    )
