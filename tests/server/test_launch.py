"""`jan launch`: clients started with this server in their environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from jan_server.cli.main import main
from jan_server.config import Settings

from tests import models
from tests.server.running import Running, running

TELLS = """#!/bin/sh
env | grep -E '^(ANTHROPIC|OPENAI|OPENCODE|CLAUDE)' | sort
echo "asked: $@"
"""


@pytest.fixture
def clients(tmp_path: Path) -> str:
    """A PATH with programs that tell how they were started."""
    for name in ("claude", "opencode", "aider", "mine"):
        (tmp_path / name).write_text(TELLS)
        (tmp_path / name).chmod(0o755)
    return f"{tmp_path}{os.pathsep}{os.environ['PATH']}"


def launch(server: Running, path: str, *arguments: str) -> tuple[dict[str, str], str]:
    command = [sys.executable, "-m", "jan_server.cli.main", "launch", *arguments]
    environment = {"PATH": path, "JAN_URL": server.url, "ANTHROPIC_API_KEY": "theirs"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    *variables, asked = done.stdout.splitlines()
    return dict(line.split("=", 1) for line in variables), asked


def test_claude_asks_us(letters_server: Running, clients: str) -> None:
    variables, asked = launch(letters_server, clients, "claude", "--", "-p", "hello there")
    assert variables["ANTHROPIC_BASE_URL"] == letters_server.url
    assert variables["ANTHROPIC_AUTH_TOKEN"] == "jan"
    assert variables["ANTHROPIC_API_KEY"] == ""
    assert variables["ANTHROPIC_MODEL"] == "alphabet"
    assert asked == "asked: -p hello there"


@pytest.fixture(scope="module")
def letters_server(alphabet_path: Path) -> Iterator[Running]:
    """One of our own: a client may have its model loaded anew."""
    with running(Settings(model=str(alphabet_path), parallel=1, ctx_size=512, threads=1)) as server:
        yield server


@pytest.fixture
def roomy_server(model_folder: Path) -> Iterator[Running]:
    """Its model was trained with more tokens than the server gives a request."""
    path = models.write_random(
        model_folder / "roomy.gguf", shape=replace(models.TINY, n_ctx=131072)
    )
    with running(Settings(model=str(path), parallel=1, ctx_size=512, threads=1)) as server:
        yield server


def test_an_agent_gets_the_context_that_it_needs(
    roomy_server: Running, clients: str, capsys: pytest.CaptureFixture[str]
) -> None:
    variables, _ = launch(roomy_server, clients, "claude")
    assert variables["CLAUDE_CODE_AUTO_COMPACT_WINDOW"] == "65536"
    assert variables["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "65536"
    assert roomy_server.served.engine.core.n_ctx == 65536
    assert main(["launch", "opencode", "--print", "--url", roomy_server.url]) == 0
    told = capsys.readouterr()
    assert '"limit": {"context": 65536, "output": 8192}' in told.out
    assert "warning" not in told.err


def test_an_agent_is_warned_of_a_model_that_forgets(
    letters_server: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["launch", "claude", "--print", "--url", letters_server.url]) == 0
    told = capsys.readouterr()
    assert "export CLAUDE_CODE_AUTO_COMPACT_WINDOW=1024\n" in told.out
    assert "warning: claude needs 65536 tokens and has 1024: alphabet was trained with 1024" in (
        told.err
    )


def test_opencode_and_aider_get_a_provider(letters_server: Running, clients: str) -> None:
    variables, _ = launch(letters_server, clients, "opencode", "--api-key", "sk")
    config = json.loads(variables["OPENCODE_CONFIG_CONTENT"])
    assert config["model"] == "jan/alphabet"
    options = {"baseURL": f"{letters_server.url}/v1", "apiKey": "sk"}
    assert config["provider"]["jan"]["options"] == options
    variables, asked = launch(letters_server, clients, "aider", "--model", "alphabet", "--", "x")
    assert variables["OPENAI_API_BASE"] == f"{letters_server.url}/v1"
    assert asked == "asked: --model openai/alphabet x"


def test_any_program_and_any_shell(
    letters_server: Running, clients: str, capsys: pytest.CaptureFixture[str]
) -> None:
    variables, _ = launch(letters_server, clients, "mine")
    assert variables["OPENAI_BASE_URL"] == f"{letters_server.url}/v1"
    assert main(["launch", "mine", "--print", "--url", letters_server.url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"export OPENAI_BASE_URL={letters_server.url}/v1" in lines


def test_what_cannot_be_launched(
    letters_server: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    url = ("--url", letters_server.url)
    assert main(["launch", "no-such-program", *url]) == 3
    assert main(["launch", "claude", "--model", "other", *url]) == 3
    assert main(["launch", "claude", "--url", "http://127.0.0.1:9"]) == 4
    assert main(["launch", "codex", *url]) == 4
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 4
    assert all(line.startswith("error: ") for line in errors)
