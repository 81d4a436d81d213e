"""`jan launch`: clients started with this server in their environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jan_server.cli.main import main

from tests.server.running import Running

TELLS = """#!/bin/sh
env | grep -E '^(ANTHROPIC|OPENAI|OPENCODE)' | sort
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


def test_claude_asks_us(alphabet_server: Running, clients: str) -> None:
    variables, asked = launch(alphabet_server, clients, "claude", "--", "-p", "hello there")
    assert variables["ANTHROPIC_BASE_URL"] == alphabet_server.url
    assert variables["ANTHROPIC_AUTH_TOKEN"] == "jan"
    assert variables["ANTHROPIC_API_KEY"] == ""
    assert variables["ANTHROPIC_MODEL"] == "alphabet"
    assert asked == "asked: -p hello there"


def test_opencode_and_aider_get_a_provider(alphabet_server: Running, clients: str) -> None:
    variables, _ = launch(alphabet_server, clients, "opencode", "--api-key", "sk")
    config = json.loads(variables["OPENCODE_CONFIG_CONTENT"])
    assert config["model"] == "jan/alphabet"
    options = {"baseURL": f"{alphabet_server.url}/v1", "apiKey": "sk"}
    assert config["provider"]["jan"]["options"] == options
    variables, asked = launch(alphabet_server, clients, "aider", "--model", "alphabet", "--", "x")
    assert variables["OPENAI_API_BASE"] == f"{alphabet_server.url}/v1"
    assert asked == "asked: --model openai/alphabet x"


def test_any_program_and_any_shell(
    alphabet_server: Running, clients: str, capsys: pytest.CaptureFixture[str]
) -> None:
    variables, _ = launch(alphabet_server, clients, "mine")
    assert variables["OPENAI_BASE_URL"] == f"{alphabet_server.url}/v1"
    assert main(["launch", "mine", "--print", "--url", alphabet_server.url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"export OPENAI_BASE_URL={alphabet_server.url}/v1" in lines


def test_what_cannot_be_launched(
    alphabet_server: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    url = ("--url", alphabet_server.url)
    assert main(["launch", "no-such-program", *url]) == 3
    assert main(["launch", "claude", "--model", "other", *url]) == 3
    assert main(["launch", "claude", "--url", "http://127.0.0.1:9"]) == 4
    assert main(["launch", "codex", *url]) == 4
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 4
    assert all(line.startswith("error: ") for line in errors)
