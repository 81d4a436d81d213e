"""Damaged vocabularies of every kind: real ones, with bytes and tables changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jan_engine import EngineError, Model, gguf
from tests.conftest import ROOT

VOCABULARIES = ROOT / "vendor/llama.cpp/tree/models"
TEXT = "Hello wörld \N{GRINNING FACE}\n\n  <s> 12345 </s>"
FUZZ = settings(
    max_examples=int(os.environ.get("JAN_FUZZ_EXAMPLES", "400")) // 10,
    deadline=None,
    derandomize="JAN_FUZZ_EXAMPLES" not in os.environ,  # the same files every time, unless asked
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def survives(path: Path) -> None:
    try:
        model = Model(path, vocab_only=True)
        tokens = model.tokenize(TEXT, parse_special=True)
        model.detokenize(tokens)
        assert model.vocab.n_tokens >= 0
    except EngineError as error:
        complaint = error.message
    else:
        return
    assert complaint


@pytest.mark.parametrize("name", ["bert-bge", "llama-spm", "gpt-2"])
@FUZZ
@given(data=st.data())
def test_bytes_changed_in_a_vocabulary(tmp_path: Path, name: str, data: st.DataObject) -> None:
    source = VOCABULARIES / f"ggml-vocab-{name}.gguf"
    content = bytearray(source.read_bytes())
    end = min(gguf.read_header(source).data_offset, len(content))
    # Half of the changes go where the metadata of the vocabulary is, before its long tables.
    near = data.draw(st.booleans())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(24, min(end, 2000) - 1 if near else end - 1))
        content[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "mutated.gguf"
    path.write_bytes(content)
    survives(path)


@pytest.mark.parametrize("name", ["bert-bge", "llama-spm", "gpt-2"])
@FUZZ
@given(data=st.data())
def test_tokens_that_repeat_or_vanish(tmp_path: Path, name: str, data: st.DataObject) -> None:
    """The same bytes, one stretch copied over another: lengths fit, contents no longer do."""
    source = VOCABULARIES / f"ggml-vocab-{name}.gguf"
    content = bytearray(source.read_bytes())
    end = min(gguf.read_header(source).data_offset, len(content))
    length = data.draw(st.integers(1, 4096))
    taken = data.draw(st.integers(0, end - length))
    put = data.draw(st.integers(24, end - length))
    content[put : put + length] = content[taken : taken + length]
    path = tmp_path / "mutated.gguf"
    path.write_bytes(content)
    survives(path)
