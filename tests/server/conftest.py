"""Servers that many tests share. Each has a model whose answers are known."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from jan_server.config import Settings

from tests import models
from tests.conftest import ROOT
from tests.server.running import Running, running
from tests.server.several import pool_of, write_speakers

TEMPLATES = ROOT / "vendor/llama.cpp/tree/models/templates"
QWEN = "Qwen-Qwen3-0.6B.jinja"  # reasons between tags, and calls tools with JSON between tags
CALL = (
    '<tool_call>\n{"name": "get_weather", ',
    '"arguments": {"city": "Ro',
    'me"}}\n</tool_call>',
)


@pytest.fixture(scope="session")
def alphabet_server(alphabet_path: Path) -> Iterator[Running]:
    """Answers "a" with the rest of the alphabet."""
    with running(Settings(model=str(alphabet_path), parallel=4, ctx_size=512, threads=1)) as server:
        yield server


@pytest.fixture(scope="session")
def random_server(random_path: Path) -> Iterator[Running]:
    """Answers with noise, the same for the same seed."""
    with running(Settings(model=str(random_path), parallel=4, ctx_size=512, threads=1)) as server:
        yield server


@pytest.fixture(scope="session")
def endless_path(model_folder: Path) -> Path:
    (a,) = models.byte_tokens("a")
    return models.write_scripted(model_folder / "endless.gguf", {a: a})


@pytest.fixture
def endless_server(endless_path: Path) -> Iterator[Running]:
    """Answers "a" with a's for as long as anybody listens."""
    settings = Settings(
        model=str(endless_path), parallel=4, ctx_size=512, threads=1, context_shift=True, ping_s=0.2
    )
    with running(settings) as server:
        yield server


@contextmanager
def chatting(path: Path, said: Sequence[str], *unsaid: str) -> Generator[Running]:
    models.write_chat(path, said, (TEMPLATES / QWEN).read_text(), unsaid=unsaid)
    with running(Settings(model=str(path), parallel=4, ctx_size=4096, threads=1)) as server:
        yield server


@pytest.fixture(scope="session")
def thinking_server(model_folder: Path) -> Iterator[Running]:
    """Thinks "A friendly greeting." and says "Hello there, you."."""
    words = ["<think>\n", "A friendly", " greeting.", "\n</think>\n\n", "Hello", " there", ", you."]
    with chatting(model_folder / "thinking.gguf", words) as server:
        yield server


@pytest.fixture(scope="session")
def calling_server(model_folder: Path) -> Iterator[Running]:
    """Says "I shall look." and asks for the weather in Rome."""
    with chatting(model_folder / "calling.gguf", ["I shall look.\n", *CALL]) as server:
        yield server


@pytest.fixture(scope="session")
def silent_server(model_folder: Path) -> Iterator[Running]:
    """Says "Hello!" and has a word to call tools with that it does not use."""
    with chatting(model_folder / "silent.gguf", ["Hello!"], "<tool_call>\n") as server:
        yield server


@pytest.fixture(scope="session")
def noisy_chat_server(model_folder: Path) -> Iterator[Running]:
    """Answers with noise, and knows how tools are called."""
    template = {"tokenizer.chat_template": (TEMPLATES / QWEN).read_text()}
    path = models.write_random(model_folder / "noisy.gguf", extra=template)
    with running(Settings(model=str(path), parallel=4, ctx_size=1024, threads=1)) as server:
        yield server


@pytest.fixture(scope="session")
def speakers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four models, each of which says its name."""
    return write_speakers(tmp_path_factory.mktemp("speakers"))


@pytest.fixture
def several(speakers: Path, tmp_path: Path) -> Iterator[Running]:
    """Answers for them, two at a time."""
    with pool_of(speakers, tmp_path, models_max=2) as server:
        yield server
