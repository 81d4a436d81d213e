"""Tiny GGUF files, written in milliseconds, that make exact assertions possible.

*Scripted*: the next token is a pure function of the last one. One-hot embeddings, attention and
feed-forward that add nothing, and an output head that is the script. For exact text, stop
reasons and usage; it cannot see a KV-cache bug, since the past does not matter to it.

*Random*: seeded weights and live attention. Says noise, but the same noise every time, and
every earlier token matters. For "alone equals in a batch equals after reuse".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np

from bench import adapter_file
from bench.shapes import Shape

BOS, EOS, N_SPECIAL = 0, 1, 2
FIRST_WORD = N_SPECIAL + 256  # of those that come after the bytes
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
DEMO_WORDS = ("Hello!", " Your", " engine", " is", " running,", " token", " by", " token.")

TINY = Shape(
    architecture="llama", n_layer=2, n_embd=64, n_head=4, n_head_kv=2, n_ff=128, n_ctx=1024
)


def _byte_symbols() -> list[str]:
    """The printable character that stands for each byte in a byte-level vocabulary."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


BYTE_SYMBOLS = _byte_symbols()


def byte_token(byte: int) -> int:
    return N_SPECIAL + byte


def byte_tokens(text: str | bytes) -> list[int]:
    return [byte_token(b) for b in (text.encode() if isinstance(text, str) else text)]


def write_scripted(
    path: Path,
    script: Mapping[int, int],
    *,
    otherwise: int = EOS,
    words: Sequence[str] = (),
    extra: Mapping[str, str] | None = None,
) -> Path:
    """After token t comes script[t], or `otherwise`. `words` get the ids after the bytes.

    `extra` is further metadata.
    """
    n_vocab = N_SPECIAL + 256 + len(words)
    n_embd = n_vocab + -n_vocab % 32
    shape = replace(TINY, n_layer=1, n_embd=n_embd, n_head=1, n_head_kv=1, n_ff=32)
    weights = {name: np.zeros(dims, np.float32) for name, dims in shape.tensors(n_vocab)}
    weights["token_embd.weight"][:, :n_vocab] = np.eye(n_vocab)
    for name in weights:
        if name.endswith("norm.weight"):
            weights[name][:] = 1
    for token in range(n_vocab):
        weights["output.weight"][script.get(token, otherwise), token] = 1
    return _write(path, shape, weights, words, extra)


def write_alphabet(path: Path) -> Path:
    """a is followed by b, and so on to z, then the end."""
    letters = byte_tokens(ALPHABET)
    return write_scripted(path, dict(pairwise(letters)))


def write_demo(path: Path) -> Path:
    """Answers any prompt with DEMO_WORDS."""
    ids = range(FIRST_WORD, FIRST_WORD + len(DEMO_WORDS))
    script = dict(zip(ids, [*ids[1:], EOS], strict=True))
    return write_scripted(path, script, otherwise=ids[0], words=DEMO_WORDS)


def write_chat(
    path: Path, said: Sequence[str], template: str, *, unsaid: Sequence[str] = ()
) -> Path:
    """Answers whatever ends with a new line, as prompts of ChatML's kind do, with what is `said`.

    `unsaid` words have a token each and come only if they must.
    """
    script = dict(pairwise([*byte_tokens("\n"), *range(FIRST_WORD, FIRST_WORD + len(said))]))
    extra = {"tokenizer.chat_template": template}
    return write_scripted(path, script, words=[*said, *unsaid], extra=extra)


def write_random(
    path: Path,
    *,
    seed: int = 7,
    poison: str = "",
    extra: Mapping[str, str | float] | None = None,
    shape: Shape = TINY,
    n_parts: int = 1,
    adds_bos: bool = True,
) -> Path:
    """Seeded weights in any shape of the llama kind.

    `poison` names a tensor to fill with NaN, `extra` is further metadata.
    """
    weights = _noise(shape, seed)
    if poison:
        weights[poison][:] = np.nan
    return _write(path, shape, weights, extra=extra, n_parts=n_parts, adds_bos=adds_bos)


def write_adapter(
    path: Path,
    *,
    seed: int = 11,
    strength: float = 1.0,
    shape: Shape = TINY,
    invocation: Sequence[int] = (),
) -> Path:
    """A low-rank adapter for a model in that shape: seeded noise onto its attention."""
    return adapter_file.write_adapter(
        path,
        shape,
        seed=seed,
        rank=4,
        strength=strength,
        numbers=np.float32,
        onto=lambda name: ".attn_q." in name or ".attn_output." in name,
        invocation=invocation,
    )


def write_merged(path: Path, adapter: Path, *, scale: float, seed: int = 7) -> Path:
    """What write_random writes, with an adapter's product added to the weights."""
    found = gguf.GGUFReader(adapter)
    alpha = float(found.fields["adapter.lora.alpha"].contents())
    parts = {tensor.name: tensor.data for tensor in found.tensors}

    def merge(name: str, weight: np.ndarray) -> np.ndarray:
        if f"{name}.lora_a" not in parts:
            return weight
        a, b = parts[f"{name}.lora_a"], parts[f"{name}.lora_b"]
        merged: np.ndarray = weight + np.float32(scale * alpha / a.shape[0]) * (b @ a)
        return merged

    weights = {name: merge(name, weight) for name, weight in _noise(TINY, seed).items()}
    return _write(path, TINY, weights)


def _noise(shape: Shape, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: np.ones(dims, np.float32)
        if name.endswith("norm.weight")
        else rng.standard_normal(dims, np.float32) * np.float32(dims[-1] ** -0.5)
        for name, dims in shape.tensors(N_SPECIAL + 256)
    }


def _write(
    path: Path,
    shape: Shape,
    weights: Mapping[str, np.ndarray],
    words: Sequence[str] = (),
    extra: Mapping[str, str | float] | None = None,
    n_parts: int = 1,
    adds_bos: bool = True,
) -> Path:
    per_part = -(-len(weights) // n_parts) if n_parts > 1 else 0
    writer = gguf.GGUFWriter(path, shape.architecture, split_max_tensors=per_part)
    tokens = ["<s>", "</s>", *BYTE_SYMBOLS]
    tokens += ["".join(BYTE_SYMBOLS[byte] for byte in word.encode()) for word in words]
    kinds = [gguf.TokenType.CONTROL] * N_SPECIAL
    kinds += [gguf.TokenType.NORMAL] * (256 + len(words))
    shape.describe(writer, len(tokens))
    writer.add_name(path.stem)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    # A vocabulary must have merges; these bytes never meet in UTF-8.
    writer.add_token_merges([f"{BYTE_SYMBOLS[0xFF]} {BYTE_SYMBOLS[0xFF]}"])
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_add_bos_token(adds_bos)
    for key, value in (extra or {}).items():
        if isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, int):
            writer.add_int32(key, value)
        else:
            writer.add_float32(key, value)
    for name, tensor in weights.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
