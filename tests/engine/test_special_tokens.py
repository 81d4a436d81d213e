"""Texts with special tokens: upstream's ids, in time that grows as the text does."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gguf import TokenType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jan_engine import Model
from tests.conftest import ROOT
from tests.vocabularies import KINDS, STRIPS_LEFT, STRIPS_RIGHT, Special, write_vocabulary

VOCABULARIES = sorted((ROOT / "vendor/llama.cpp/tree/models").glob("ggml-vocab-*.gguf"))
SPECIAL = st.lists(
    st.tuples(
        st.text("ab \n\r<>\u2581", min_size=1, max_size=5),
        st.sampled_from([TokenType.CONTROL, TokenType.USER_DEFINED, TokenType.UNKNOWN]),
    ),
    max_size=8,
    unique_by=lambda pair: pair[0],
)
FEW = settings(
    max_examples=int(os.environ.get("JAN_FUZZ_EXAMPLES", "400")) // 20,
    deadline=None,
    derandomize="JAN_FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Upstream:
    """Says whether texts become the same tokens here as by upstream alone."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self._program = program

    def check(self, text: bytes, *, add_special: bool, parse_special: bool) -> None:
        assert self._program.stdin
        assert self._program.stdout
        self._program.stdin.write(f"{add_special:d} {parse_special:d} {text.hex()}\n")
        self._program.stdin.flush()
        answer = self._program.stdout.readline()
        assert answer == "same\n", (text, add_special, parse_special, answer)


@contextmanager
def upstream(path: Path) -> Generator[Upstream]:
    folder = ROOT / os.environ.get("JAN_BUILD", "build/dev") / "tests/csrc"
    with subprocess.Popen(
        [folder / "check_upstream_tokens", path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        yield Upstream(program)


def texts(parts: list[str]) -> st.SearchStrategy[bytes]:
    """Of these, of what they begin and end with, and of what is between them in any text."""
    cut = st.sampled_from([text[:n] for text in parts for n in range(1, len(text) + 1)] or ["a"])
    whole = st.sampled_from(parts or ["a"])
    other = st.text("ab c\n\r\t<>\u2581\u00e9", min_size=1, max_size=6)
    piece = st.one_of(whole, whole, cut, other).map(str.encode)
    return st.lists(st.one_of(piece, piece, piece, st.just(b"\xe2\x96")), max_size=12).map(b"".join)


@pytest.mark.parametrize("kind", [*KINDS, "strips-right", "strips-left"])
@FEW
@given(data=st.data(), special=SPECIAL)
def test_any_vocabulary_gives_upstreams_tokens(
    tmp_path: Path, kind: str, data: st.DataObject, special: list[Special]
) -> None:
    path = write_vocabulary(
        tmp_path / "words.gguf",
        kind if kind in KINDS else "spm",
        special,
        name=STRIPS_RIGHT if kind == "strips-right" else "",
        pre=STRIPS_LEFT if kind == "strips-left" else "gpt-2",
        space_prefix=data.draw(st.booleans()),
        adds_eos=data.draw(st.booleans()),
    )
    parts = [text for text, _ in special] + ["<s>", "<mask>", "<|endoftext|>"]
    with upstream(path) as theirs:
        for text in data.draw(st.lists(texts(parts), min_size=10, max_size=10)):
            for add_special, parse_special in ((True, True), (False, True), (True, False)):
                theirs.check(text, add_special=add_special, parse_special=parse_special)


@pytest.mark.parametrize("path", VOCABULARIES, ids=lambda path: path.stem.removeprefix("ggml-"))
def test_real_vocabularies_give_upstreams_tokens(path: Path) -> None:
    special = special_texts(path)
    inputs = path.with_suffix(".gguf.inp")
    told = inputs.read_text() if inputs.exists() else "Hello, world!\r\n\r\n1,2\t\u00e9\n\n\n"
    texts_of_it = [
        told,
        "".join(f"{text} {i}\n{text}" for i, text in enumerate(special)),
        "".join(special),
        "".join(text[:-1] + text for text in special),
        " \n ".join(special),
    ]
    with upstream(path) as theirs:
        for text in texts_of_it:
            for parse_special in (True, False):
                theirs.check(text.encode(), add_special=True, parse_special=parse_special)


def special_texts(path: Path, most: int = 200) -> list[str]:
    """Of control and user-defined tokens."""
    model = Model(path, vocab_only=True)
    found = [
        model.piece(token, special=True)
        for token in range(model.vocab.n_tokens)
        if not model.piece(token) or model.piece(token).startswith((b"<", b"["))
    ]
    return [text.decode() for text in found if text.isascii() and text][:most]


@pytest.mark.parametrize("unit", ["<t>", "<t>x", "\r\n", "\n", "<b>\n", "a", "ab "])
def test_a_long_text_of_special_tokens_takes_no_longer_than_any_other(
    tmp_path: Path, unit: str
) -> None:
    """Upstream takes a minute for the first; the bound is for a machine that others use."""
    special = [("<t>", TokenType.CONTROL), ("<b>", TokenType.USER_DEFINED)]
    special += [("\n" * n, TokenType.USER_DEFINED) for n in range(1, 32)]
    model = Model(write_vocabulary(tmp_path / "words.gguf", "spm", special), vocab_only=True)
    text = unit * (1_000_000 // len(unit))
    began_s = time.monotonic()
    n_tokens = len(model.tokenize(text, parse_special=True))
    assert time.monotonic() - began_s < 10
    assert n_tokens >= len(text) // 32
