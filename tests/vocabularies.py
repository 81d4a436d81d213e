"""Files that are a vocabulary and nothing else, of every kind of tokeniser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gguf

from tests.models import BYTE_SYMBOLS, TINY

KINDS = {
    "spm": "llama",
    "bpe": "gpt2",
    "wpm": "bert",
    "ugm": "t5",
    "rwkv": "rwkv",
    "plamo2": "plamo2",
}
# Upstream knows one model by its name, another by its pre-tokeniser, and lets their special tokens
# swallow the whitespace behind or before them.
STRIPS_RIGHT = "Phi-3"
STRIPS_LEFT = "jina-v2-code"
_MARKS = ["<unk>", "<s>", "</s>", "<|endoftext|>", "<mask>"]
Special = tuple[str, gguf.TokenType]


def write_vocabulary(
    path: Path,
    kind: str,
    special: Sequence[Special],
    *,
    name: str = "",
    pre: str = "gpt-2",
    space_prefix: bool = True,
    adds_eos: bool = False,
) -> Path:
    """Letters, some pairs of them, bytes where the kind has such tokens, and `special` ones."""
    marks = dict.fromkeys(_MARKS, gguf.TokenType.CONTROL) | {"<unk>": gguf.TokenType.UNKNOWN}
    tokens: dict[str, gguf.TokenType] = {**marks, **dict(special)}
    if kind == "bpe":
        plain = [*BYTE_SYMBOLS, "ab", "aab"]
    elif kind == "rwkv":  # upstream never ends where a byte that begins a token is none
        plain = [*(f"\\x{byte:02x}" for byte in range(256)), "ab", "aab", "\u2581a"]
    elif kind == "wpm":
        plain = ["\u2581a", "\u2581b", "\u2581<", "\u2581>", "a", "b", "ab", "\u2581ab"]
    else:
        plain = ["a", "b", "ab", "aab", "\u2581", "\u2581a", "\u2581\u2581", "<", ">", "\n", " "]
    tokens |= {text: gguf.TokenType.NORMAL for text in plain if text not in tokens}
    if kind not in ("bpe", "wpm", "rwkv"):
        tokens |= {f"<0x{byte:02X}>": gguf.TokenType.BYTE for byte in range(256)}
    writer = gguf.GGUFWriter(path, TINY.architecture)
    TINY.describe(writer, len(tokens))
    writer.add_name(name or path.stem)
    writer.add_tokenizer_model(KINDS[kind])
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(list(tokens))
    writer.add_token_types(list(tokens.values()))
    writer.add_token_scores([-float(i % 97) for i in range(len(tokens))])
    if kind == "bpe":
        writer.add_token_merges(["a b", "a ab"])
    ids = list(tokens)
    writer.add_unk_token_id(ids.index("<unk>"))
    writer.add_bos_token_id(ids.index("<s>"))
    writer.add_eos_token_id(ids.index("</s>"))
    writer.add_sep_token_id(ids.index("</s>"))
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(adds_eos)
    writer.add_add_space_prefix(space_prefix)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path
