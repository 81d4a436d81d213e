"""The trained network as a GGUF file, its matrices in Q8_0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import gguf
import numpy as np
from tokenizers import Tokenizer

from bench.demo_model.network import N_VOCAB, SHAPE
from bench.demo_model.vocabulary import CONTROL, MARKS, TEMPLATE

__all__ = ["write"]


def write(path: Path, weights: Mapping[str, np.ndarray], tokenizer: Tokenizer) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("jan-demo")
    writer.add_author("jan-engine")
    writer.add_license("Apache-2.0")
    writer.add_description("A very small model that shows how the server works")
    writer.add_size_label("2M")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    SHAPE.describe(writer, N_VOCAB)
    _add_vocabulary(writer, tokenizer)
    for name, weight in _tensors(weights):
        if weight.ndim == 1:
            writer.add_tensor(name, weight)
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            packed = gguf.quants.quantize(weight, kind)
            writer.add_tensor(name, packed, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    ids = tokenizer.get_vocab(with_added_tokens=True)
    texts = sorted(ids, key=ids.__getitem__)
    kinds = {text: gguf.TokenType.CONTROL for text in CONTROL}
    kinds |= {text: gguf.TokenType.USER_DEFINED for text in MARKS}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(texts)
    writer.add_token_types([kinds.get(text, gguf.TokenType.NORMAL) for text in texts])
    writer.add_token_merges(_merges(tokenizer))
    writer.add_eos_token_id(ids["<|im_end|>"])
    writer.add_pad_token_id(ids["<|endoftext|>"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def _merges(tokenizer: Tokenizer) -> list[str]:
    import json

    pairs = json.loads(tokenizer.to_str())["model"]["merges"]
    return [pair if isinstance(pair, str) else " ".join(pair) for pair in pairs]


def _tensors(weights: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    for name, weight in weights.items():
        if name in ("token_embd", "output_norm"):
            yield f"{name}.weight", weight
        else:
            for i, of_layer in enumerate(weight):
                yield f"blk.{i}.{name}.weight", of_layer
