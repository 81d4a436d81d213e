"""Which template a server chats by."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from jan_server.config import Settings
from jan_server.inference.served_model import ServedModel
from msgspec.structs import replace

from jan_engine import InvalidRequest
from tests import models
from tests.server.running import Running, running

BROKEN = "{% for x in %}"


def chat(server: Running) -> Any:  # noqa: ANN401 - whatever JSON comes
    messages = [{"role": "user", "content": "a"}]
    return server.post("/v1/chat/completions", {"model": "m", "messages": messages}).json()


@pytest.fixture
def untold(tmp_path: Path) -> Settings:
    path = models.write_chat(tmp_path / "broken.gguf", ["Hello!"], BROKEN)
    return Settings(model=str(path), alias="m", threads=1, ctx_size=512)


def test_a_template_of_the_command_line_wins(untold: Settings, tmp_path: Path) -> None:
    file = tmp_path / "template.jinja"
    file.write_text("{{ messages[0].content }}!\n")
    changes: list[dict[str, str]] = [
        {"chat_template": "{{ messages[0].content }}!\n"},
        {"chat_template_file": str(file)},
    ]
    for change in changes:
        with running(replace(untold, **change)) as server:
            assert chat(server)["prompt"].rstrip() == "a!"


def test_a_model_whose_template_is_broken_still_completes(untold: Settings) -> None:
    with running(untold) as server:
        assert chat(server)["error"]["code"] == "unsupported_feature"
        answer = server.post("/v1/completions", {"model": "m", "prompt": "\n"}).json()
        assert answer["choices"][0]["text"] == "Hello!"


@pytest.mark.parametrize(
    "change", [{"chat_template": BROKEN}, {"chat_template_file": "/nowhere/template"}]
)
def test_a_given_template_that_is_broken_ends_the_server(
    untold: Settings, change: dict[str, str]
) -> None:
    served = ServedModel(replace(untold, **change))
    asyncio.run(served.load())
    assert isinstance(served.failure, InvalidRequest)
    assert served.failure.field in change
