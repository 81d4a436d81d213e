"""The README's Python, run as a reader would."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import models
from tests.conftest import ROOT

SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_the_readme_has_snippets() -> None:
    assert len(SNIPPETS) >= 2


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda text: re.sub(r"\W+", "_", text)[-40:])
def test_a_snippet_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    snippet: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    models.write_random(tmp_path / "f16.gguf")
    models.write_random(tmp_path / "embed.gguf")
    models.write_alphabet(tmp_path / "model.gguf")
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "README.md", "exec"), {})
    assert capsys.readouterr().out or "print" not in snippet
