"""Writes model files in the shape and with the vocabulary of a real family, random weights.

    python -m bench.models qwen2-0.5b Q4_K_M     # -> build/models/qwen2-0.5b.Q4_K_M.gguf

Speed depends on shapes, types and vocabulary, not on what the weights know. These files are
what every benchmark runs on; what they say is noise.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import gguf
import numpy as np

import jan_engine
from bench.following import following_weights
from bench.shapes import LLAMA_3_2_1B, NANO, QWEN2_0_5B, Shape

ROOT = Path(__file__).resolve().parent.parent
VOCABULARIES = ROOT / "vendor/llama.cpp/tree/models"
MODELS = ROOT / "build/models"
SEED = 20_261_120


@dataclass(frozen=True)
class Family:
    shape: Shape
    vocabulary: str  # of upstream's ggml-vocab-NAME.gguf
    follows: bool = False  # what it says is settled by the last token: see bench/following.py


FAMILIES = {
    "qwen2-0.5b": Family(QWEN2_0_5B, "qwen2"),
    "qwen2-0.5b-following": Family(replace(QWEN2_0_5B, tied_output=False), "qwen2", follows=True),
    "llama-3.2-1b": Family(LLAMA_3_2_1B, "llama-bpe"),
    "nano": Family(NANO, "llama-spm"),
}


def model_path(family: str, type_name: str) -> Path:
    """The file, written first if it is not there yet."""
    target = MODELS / f"{family}.{type_name}.gguf"
    if target.exists():
        return target
    MODELS.mkdir(parents=True, exist_ok=True)
    if type_name == "F16":
        write_f16(FAMILIES[family], target)
    else:
        jan_engine.quantize(model_path(family, "F16"), target, type_name, on_progress=_report)
    return target


def write_f16(family: Family, target: Path) -> None:
    partial = target.with_suffix(".partial")
    vocabulary = gguf.GGUFReader(VOCABULARIES / f"ggml-vocab-{family.vocabulary}.gguf")
    writer = gguf.GGUFWriter(partial, family.shape.architecture)
    n_vocab = _copy_vocabulary(vocabulary, writer)
    family.shape.describe(writer, n_vocab)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    shapes = list(family.shape.tensors(n_vocab))
    for name, shape in shapes:
        writer.add_tensor_info(
            name, shape, _dtype(shape), int(np.prod(shape)) * _dtype(shape).itemsize
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    rng = np.random.default_rng(SEED)
    for _, weights in _all_weights(rng, shapes, family.follows):
        writer.write_tensor_data(weights.astype(_dtype(weights.shape)))
    writer.close()
    partial.rename(target)


def _dtype(shape: tuple[int, ...]) -> np.dtype[np.float16] | np.dtype[np.float32]:
    return np.dtype(np.float16) if len(shape) > 1 else np.dtype(np.float32)


def _all_weights(
    rng: np.random.Generator, shapes: list[tuple[str, tuple[int, ...]]], follows: bool
) -> Iterator[tuple[str, np.ndarray]]:
    noise = ((name, _weights(rng, name, shape)) for name, shape in shapes)
    return following_weights(noise) if follows else noise


def _weights(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name.endswith("norm.weight"):
        return np.ones(shape, dtype=np.float32)
    # Of a size that keeps activations near 1 through any number of layers.
    scale = np.float32(shape[-1] ** -0.5)
    return rng.standard_normal(shape, dtype=np.float32) * scale


def _copy_vocabulary(source: gguf.GGUFReader, writer: gguf.GGUFWriter) -> int:
    n_vocab = 0
    for field in source.fields.values():
        if not field.name.startswith("tokenizer."):
            continue
        kind = field.types[0]
        element = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=element)
        if field.name == "tokenizer.ggml.tokens":
            n_vocab = len(field.data)
    return n_vocab


def _report(fraction: float) -> None:
    if sys.stderr.isatty():
        print(
            f"\rquantising {fraction:4.0%}",
            end="\r\033[K" if fraction >= 1 else "",
            file=sys.stderr,
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.models", description=__doc__)
    parser.add_argument("family", choices=sorted(FAMILIES))
    parser.add_argument("type", nargs="?", default="F16", help="F16, Q8_0, Q4_K_M, ...")
    args = parser.parse_args()
    try:
        print(model_path(args.family, args.type))
    except jan_engine.EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
