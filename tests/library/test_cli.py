"""`jan pull`, list, show, rm and cp, as processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.library.hub import Hub, wait_for_bytes

pytestmark = pytest.mark.unsanitized
JAN = [sys.executable, "-m", "jan_server.cli.main"]
HEAVY = {  # what reading must not import
    "litestar",
    "uvicorn",
    "sqlalchemy",
    "alembic",
    "jan_engine",
    "asyncio",
    "rich",
}


def jan(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*JAN, *arguments],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


def told(*arguments: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(jan(*arguments, "--json").stdout)


def test_a_model_from_nothing_to_gone(hub: Hub, home: Path, gguf_bytes: bytes) -> None:
    assert told("list") == []
    hub.add("owner/repo", "letters-Q8_0.gguf", gguf_bytes)
    pulled = jan("pull", "hf:owner/repo")
    assert pulled.stdout == "letters-Q8_0\n"
    assert "100%" in pulled.stderr
    (listed,) = told("ls")
    assert listed["id"] == "letters-Q8_0"
    assert listed["is_here"]
    jan("cp", "letters-Q8_0", "abc")
    shown = told("show", "abc")
    assert shown["aliases"] == ["abc"]
    assert shown["architecture"] == "llama"
    assert shown["n_bytes"] == len(gguf_bytes)
    jan("set", "abc", "ctx_size=512", "cache_type=q8_0")
    jan("set", "abc", "cache_type=")
    assert told("show", "abc")["settings"] == {"ctx_size": 512}
    table = jan("list").stdout.splitlines()
    assert table[0].split() == ["NAME", "QUANT", "SIZE", "SINCE", "ALSO"]
    assert table[1].split()[:4] == ["letters-Q8_0", "F32", "2.0", "MB"]
    assert "bits per weight" in jan("show", "abc").stdout
    assert told("rm", "letters-Q8_0") == [{"id": "letters-Q8_0", "deleted": True}]
    assert told("list") == []
    assert not list((home / "models/files").iterdir())


def test_a_mistake_is_one_line_and_a_status(hub: Hub, home: Path) -> None:
    for arguments, status in (
        (("show", "nothing"), 3),
        (("rm", "nothing"), 3),
        (("cp", "nothing", "other"), 3),
        (("set", "nothing", "parallel=2"), 3),
        (("pull", "hf:owner/nothing"), 3),
        (("pull", "no source"), 3),
        (("pull", "http://host/a.gguf"), 2),
        (("pull", "hf:owner/repo", "--sha256", "x"), 2),
    ):
        done = jan(*arguments, status=status)
        assert done.stdout == ""
        assert done.stderr.startswith("error: ")
        assert len(done.stderr.splitlines()) == 1


def test_offline_is_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE" in jan("pull", "hf:owner/repo", status=4).stderr


def test_an_interrupt_keeps_what_was_received(hub: Hub, home: Path, gguf_bytes: bytes) -> None:
    hub.add("owner/repo", "a.gguf", gguf_bytes)
    hub.hold.clear()
    pulling = subprocess.Popen(
        [*JAN, "pull", "hf:owner/repo"], env=dict(os.environ), stderr=subprocess.PIPE, text=True
    )
    wait_for_bytes(home)
    pulling.send_signal(signal.SIGINT)
    hub.hold.set()
    _, said = pulling.communicate(timeout=30)
    assert pulling.returncode == 130
    assert "Traceback" not in said
    assert told("list") == []
    jan("pull", "-q", "hf:owner/repo")
    assert "range" in hub.bodies()[-1]


def test_a_folder_of_another_tool_is_pulled_by_its_path(
    home: Path, alphabet_path: Path, random_path: Path
) -> None:
    assert "alphabet" in jan("pull", str(alphabet_path.parent)).stdout.split()
    assert {model["placement"] for model in told("list")} == {"found"}
    jan("rm", str(alphabet_path.parent))
    assert told("list") == []


@pytest.mark.parametrize("verb", ["list", "show"])
def test_reading_imports_nothing_that_takes_time(
    home: Path, alphabet_path: Path, verb: str
) -> None:
    jan("pull", str(alphabet_path), "--id", "abc")
    script = (
        "import sys, jan_server.cli.main as m\n"
        f"assert m.main([{verb!r}] + ['abc'] * {verb == 'show'}) == 0\n"
        f"assert not {HEAVY!r} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "abc" in done.stdout


def test_shells_complete_verbs_and_names(home: Path, alphabet_path: Path) -> None:
    jan("pull", str(alphabet_path), "--id", "letters:v1")
    jan("cp", "letters:v1", "other")

    def completed(*words: str) -> list[str]:
        return jan("completions", "words", "--", *words).stdout.split()

    assert completed("p") == ["pull", "ps"]
    assert completed("show", "") == ["letters:v1", "other"]
    assert completed("rm", "let") == ["letters:v1"]
    assert completed("ps", "") == []
    assert completed("serve", "--temp") == ["--temp", "--temperature"]
    assert completed("keys", "create", "--d") == ["--days"]
    assert completed("show", "abc", "--j") == ["--json"]
    for shell in ("bash", "zsh", "fish"):
        assert "jan completions words" in jan("completions", shell).stdout
    if bash := shutil.which("bash"):
        asked = (
            'eval "$(jan completions bash)"; COMP_WORDS=(jan show let); COMP_CWORD=2; _jan; '
            "echo ${COMPREPLY[@]}"
        )
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            [bash, "-c", asked], env={**os.environ, "PATH": path}, capture_output=True, check=True
        )
        assert done.stdout.split() == [b"letters:v1"]


def test_a_database_that_cannot_be_read_is_one_line(home: Path) -> None:
    (home / "models").mkdir(parents=True)
    (home / "models/models.db").write_bytes(b"no database, and longer than a header is" * 100)
    assert "cannot be read" in jan("list", status=1).stderr
    assert "cannot be read" in jan("show", "a", status=1).stderr
