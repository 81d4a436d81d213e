"""Answers that are cut inside a character: what is sent are whole characters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jan_server.config import Settings

from tests import models
from tests.server.running import Running, running

SMILE = "\N{SMILING FACE WITH SMILING EYES}"


@pytest.fixture(scope="module")
def smiling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Answers with smiles, of which each byte is a token."""
    ids = models.byte_tokens(SMILE)
    script = dict(zip(ids, [*ids[1:], ids[0]], strict=True))
    path = Path(tmp_path_factory.mktemp("smiling")) / "smiling.gguf"
    models.write_scripted(path, script, otherwise=ids[0])
    with running(Settings(model=str(path), parallel=2, ctx_size=256, threads=1)) as server:
        yield server


@pytest.mark.parametrize(("n", "text"), [(4, SMILE), (5, SMILE), (7, SMILE), (8, SMILE * 2)])
def test_half_a_character_is_not_sent(smiling: Running, n: int, text: str) -> None:
    body = {"model": "smiling", "prompt": "a", "max_tokens": n}
    whole = smiling.post("/v1/completions", body).json()
    assert whole["choices"][0]["text"] == text
    assert whole["usage"]["completion_tokens"] == n
    frames = smiling.events("/v1/completions", body)
    pieces = [
        choice["text"]
        for frame in frames
        if not isinstance(frame, str)
        for choice in frame["choices"]
    ]
    assert "".join(pieces) == text
