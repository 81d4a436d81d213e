"""A loaded model: its facts, its vocabulary, its templates."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

import msgspec

from jan_engine import _core, backend, gguf, log
from jan_engine.errors import InvalidRequest, ModelError
from jan_engine.memory_needs import cached_numbers
from jan_engine.native_call import OnProgress, watched
from jan_engine.native_int import native_int, token_ids

__all__ = ["Model", "ModelFacts", "VocabFacts"]


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the model is, as llama.cpp understands it."""

    description: str
    file_type: str
    n_params: int
    n_bytes: int  # of all tensors
    vocab_only: bool  # nothing else was loaded: what follows is 0 or False
    n_ctx_train: int
    n_embd: int
    n_layer: int
    n_head: int
    n_head_kv: int
    n_swa: int  # sliding window in tokens, 0 for none
    has_encoder: bool
    has_decoder: bool
    is_recurrent: bool
    is_hybrid: bool
    is_diffusion: bool


class VocabFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The vocabulary. A special token the model does not have is -1."""

    type: str
    n_tokens: int
    bos: int
    eos: int
    eot: int
    sep: int
    nl: int
    pad: int
    mask: int
    fim_pre: int
    fim_suf: int
    fim_mid: int
    fim_pad: int
    fim_rep: int
    fim_sep: int
    adds_bos: bool
    adds_eos: bool
    n_longest_bytes: int  # that one token may stand for in a text; 0: any number
    end_of_generation: list[int]


class Model:
    """A model in memory. Immutable, so any thread may use it; freed with its last reference."""

    def __init__(
        self,
        path: str | Path,
        *,
        mmap: bool = True,
        mlock: bool = False,
        check_tensors: bool = False,
        vocab_only: bool = False,
        repack: bool = True,
        matrix_kernels: bool = True,
        n_gpu_layers: int = -1,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Check the file, then load it. Raises ModelNotFound, BadModelFile or OutOfMemory.

        The CPU computes with weights that are rearranged for it, where `matrix_kernels` is set by
        kernels of our own; without `repack` they stay as they are in the file.
        `on_progress` is called on this thread with fractions from 0 to 1; raising from it, or
        Ctrl-C, cancels the load.
        """
        self.n_gpu_layers = native_int("n_gpu_layers", n_gpu_layers)
        self.matrix_kernels = matrix_kernels and repack
        self.path = Path(path)
        self.headers = gguf.check_model(self.path)  # of every part
        self.header = self.headers[0]
        backend.load()

        def load(progress: _core.Progress) -> _core.Model:
            return _core.Model(
                os.fsencode(self.path),
                progress,
                mmap=mmap,
                mlock=mlock,
                check_tensors=check_tensors,
                vocab_only=vocab_only,
                repack=repack,
                matrix_kernels=matrix_kernels,
                n_gpu_layers=self.n_gpu_layers,
            )

        try:
            self.core = watched(load, on_progress, "jan-load")
        except ModelError as error:
            error.path = str(self.path)
            raise
        finally:
            log.forward()

    @cached_property
    def facts(self) -> ModelFacts:
        return msgspec.convert(self.core.facts(), ModelFacts)

    @cached_property
    def vocab(self) -> VocabFacts:
        return msgspec.convert(self.core.vocab_facts(), VocabFacts)

    @cached_property
    def n_positions(self) -> int:
        """Rows of the table that models without rotary positions look them up in; 0 without one."""
        tensors = (tensor for header in self.headers for tensor in header.tensors)
        table = next((t for t in tensors if t.name == "position_embd.weight"), None)
        return min(table.shape[1], 2**31 - 1) if table and len(table.shape) > 1 else 0

    @cached_property
    def n_cached_numbers(self) -> int:
        """Numbers that one token leaves in the cache; 0 where the file does not say."""
        return cached_numbers(self.headers)

    @cached_property
    def can_rank(self) -> bool:
        """Whether the model has a head that gives scores."""
        heads = ("cls.weight", "cls.output.weight")
        return any(tensor.name in heads for header in self.headers for tensor in header.tensors)

    @cached_property
    def metadata(self) -> dict[str, str]:
        """Every scalar of the file's metadata as text."""
        return self.core.metadata()

    def chat_template(self, name: str = "") -> str | None:
        """The template text, or None. Some models carry further ones, such as "tool_use"."""
        return self.core.chat_template(name)

    def tokenize(
        self, text: str | bytes, *, add_special: bool = True, parse_special: bool = False
    ) -> list[int]:
        """Token ids of a text.

        `add_special` puts BOS and EOS where the model wants them; `parse_special` reads
        "<|im_end|>" and the like as the tokens they name, so never set it for a user's text.
        """
        return self.core.tokenize(_encoded(text), add_special, parse_special)

    def detokenize(
        self, tokens: list[int], *, remove_special: bool = False, unparse_special: bool = False
    ) -> bytes:
        """The bytes of these tokens. Bytes, since a token may end inside a code point."""
        return self.core.detokenize(token_ids("tokens", tokens), remove_special, unparse_special)

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """The bytes of one token; nothing for a control token unless `special`."""
        return self.core.piece(token_ids("token", [token])[0], special)

    def is_end_of_generation(self, token: int) -> bool:
        return self.core.is_end_of_generation(token_ids("token", [token])[0])


def _encoded(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"text: position {error.start} is half of a surrogate pair") from None
