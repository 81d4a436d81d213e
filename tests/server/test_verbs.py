"""The verbs that talk to a running server, or answer without one."""

from __future__ import annotations

import io
import json
import re
import signal
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from jan_server.cli import answering
from jan_server.cli.answering import Show
from jan_server.cli.live import Live
from jan_server.cli.main import main
from jan_server.cli.printed_answer import PrintedAnswer
from jan_server.config import Settings

from tests import models
from tests.server.running import Running, running
from tests.server.several import ask, loaded


@pytest.fixture
def endless_chat(tmp_path: Path) -> Iterator[Running]:
    """Answers with a's for as long as anybody listens."""
    (a, newline) = models.byte_tokens("a\n")
    path = models.write_scripted(tmp_path / "talker.gguf", {a: a, newline: a})
    with running(Settings(model=str(path), threads=1, ctx_size=512, context_shift=True)) as server:
        yield server


NOBODY = ("--url", "http://127.0.0.1:9")


@pytest.fixture(autouse=True)
def stdin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> io.StringIO:
    """Empty, unless a test writes into it."""
    given = io.StringIO()
    monkeypatch.setattr("sys.stdin", given)
    monkeypatch.setenv("JAN_HOME", str(tmp_path / "nobody's home"))
    return given


def test_ps_and_stop_are_about_a_running_server(
    several: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(several, "one")
    ask(several, "two")
    assert main(["ps", "--url", several.url]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "MEMORY", "STATE", "REQUESTS", "LEAVES"]
    assert sorted(row.split()[0] for row in rows) == ["one", "two"]
    assert all("ready" in row and "in 300 s" in row for row in rows)
    assert main(["stop", "one", "--url", several.url + "/v1"]) == 0
    assert capsys.readouterr().out == "stopped one\n"
    assert loaded(several) == ["two"]
    assert main(["ps", "--json", "--url", several.url]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["id"] == "two"
    assert main(["stop", "nothing", "--url", several.url]) == 3


@pytest.mark.parametrize("verb", [["ps"], ["stop", "one"]])
def test_without_a_server_that_is_said(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*verb, *NOBODY]) == 4
    assert "no server answers" in capsys.readouterr().err


def test_a_key_is_shown_to_the_server(
    alphabet_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(model=str(alphabet_path), threads=1, ctx_size=128, api_key=("secret",))
    with running(settings) as server:
        assert main(["ps", "--url", server.url]) == 4
        assert main(["ps", "--url", server.url, "--api-key", "secret"]) == 0
    assert "alphabet" in capsys.readouterr().out


def test_run_asks_the_server_that_has_the_model(
    silent_server: Running, capsys: pytest.CaptureFixture[str], stdin: io.StringIO
) -> None:
    assert main(["run", "silent", "Hello?", "--url", silent_server.url, "--verbose"]) == 0
    said = capsys.readouterr()
    assert said.out == "Hello!\n"
    assert "pieces per second" in said.err
    assert "temperature 0.8, top_k 40, top_p 0.95, min_p 0.05, repeat_penalty 1.1\n" in said.err
    stdin.write("Hello?")
    stdin.seek(0)
    assert main(["run", "silent", "--url", silent_server.url]) == 0
    assert capsys.readouterr().out == "Hello!\n"


def test_run_loads_the_model_where_no_server_has_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = models.write_demo(tmp_path / "demo.gguf")
    assert main(["run", str(path), "Hello?", "-t", "1", "-c", "256", *NOBODY]) == 0
    assert capsys.readouterr().out == "".join(models.DEMO_WORDS) + "\n"
    assert main(["pull", str(path), "--id", "mine"]) == 0
    capsys.readouterr()
    assert main(["run", "mine", "Hello?", "-t", "1", "-c", "256", "-n", "1", *NOBODY]) == 0
    assert capsys.readouterr().out == models.DEMO_WORDS[0] + "\n"


def test_run_draws_as_the_model_is_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = models.write_random(tmp_path / "own.gguf", extra={"general.sampling.top_k": 9})
    assert main(["pull", str(path), "--id", "own"]) == 0
    assert main(["set", "own", "temperature=0.2"]) == 0
    capsys.readouterr()
    asked = ["run", "own", "Hi", "-t", "1", "-c", "256", "-n", "2", "--verbose", *NOBODY]
    assert main(asked) == 0
    assert "temperature 0.2, top_k 9, " in capsys.readouterr().err
    assert main([*asked, "--temperature", "0"]) == 0
    assert re.search(r"temperature 0, .* repeat_penalty 1\n", capsys.readouterr().err)


def test_run_keeps_what_was_thought_from_a_program(
    thinking_server: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "thinking", "Hello?", "--url", thinking_server.url]) == 0
    said = capsys.readouterr()
    assert said.out == "Hello there, you.\n"
    assert said.err == ""


def test_a_conversation_remembers_and_obeys(
    silent_server: Running, capsys: pytest.CaptureFixture[str], stdin: io.StringIO
) -> None:
    lines = ["Hello?", "", '"""two', 'lines"""', "/help", "/clear", "/system Be brief.", "Again"]
    stdin.write("\n".join([*lines, "/bye", "never", ""]))
    stdin.seek(0)
    asked: list[list[dict[str, str]]] = []
    ask = answering._ask_server  # pyright: ignore[reportPrivateUsage]

    def heard(live: Live, told: Namespace, messages: list[dict[str, str]], show: Show) -> None:
        asked.append(list(messages))
        ask(live, told, messages, show)

    with patch.object(answering, "_ask_server", heard):
        assert main(["chat", "silent", "--url", silent_server.url]) == 0
    said = capsys.readouterr()
    assert said.out == "Hello!\n" * 3
    assert "/clear" in said.err
    texts = [[message["content"] for message in messages] for messages in asked]
    assert texts == [["Hello?"], ["Hello?", "Hello!", "two\nlines"], ["Be brief.", "Again"]]


@pytest.mark.parametrize("where", ["--local", "--threads=1"])
def test_an_interrupt_ends_an_answer_and_not_the_conversation(
    endless_chat: Running,
    where: str,
    capsys: pytest.CaptureFixture[str],
    stdin: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stdin.write("Hello?\nAgain?\n")
    stdin.seek(0)
    show = PrintedAnswer.show

    def interrupted(answer: PrintedAnswer, thought: str, said: str) -> None:
        show(answer, thought, said)
        if len(answer.text) > 10:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(PrintedAnswer, "show", interrupted)
    model = str(endless_chat.served.path) if where == "--local" else endless_chat.served.id
    assert main(["chat", model, where, "-c", "512", "--url", endless_chat.url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("aaaa")]) == 2
    endless_chat.until(lambda stats: stats["n_running"] == 0)


@pytest.mark.parametrize(("arguments", "status"), [(["nothing", "Hello?"], 3), (["nothing"], 2)])
def test_run_says_what_is_missing(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *arguments, *NOBODY]) == status
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_doctor_tells_of_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--offline", "--json", *NOBODY])
    told = json.loads(capsys.readouterr().out)
    assert told["version"]["llama_cpp_build"] > 0
    assert told["server"]["version"] is None
    assert told["home"]["database"] == "none yet"
    assert any(one["status"] == "loaded" for one in told["backends"])
    main(["doctor", "--offline", *NOBODY])
    assert "llama.cpp build" in capsys.readouterr().out


def test_doctor_says_which_kernels_serve_which_weights_of_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = models.write_random(tmp_path / "random.gguf")
    main(["doctor", str(path), "--offline", "--json", *NOBODY])
    told = json.loads(capsys.readouterr().out)["model"]
    assert sum(one["n_weights"] for one in told["shares"]) == len(told["weights"])
    assert {one["purpose"] for one in told["shares"]} >= {"product", "lookup"}
    main(["doctor", str(path), "--offline", *NOBODY])
    printed = capsys.readouterr().out.splitlines()
    (at,) = (i for i, line in enumerate(printed) if line.startswith("TYPE"))
    assert len(printed) - at - 1 == len(told["shares"])
    assert main(["doctor", str(tmp_path / "nothing.gguf"), "--offline", *NOBODY]) == 3


def test_doctor_finds_models_whose_files_are_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = models.write_alphabet(tmp_path / "letters.gguf")
    assert main(["pull", str(path)]) == 0
    path.unlink()
    capsys.readouterr()
    assert main(["doctor", "--offline", "--json", *NOBODY]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["home"]["database"] == "ok"
    assert "1 models are listed whose files are gone" in told["wrong"]
