"""`jan chat MODEL`: a conversation at the terminal. Ctrl-C ends an answer, Ctrl-D all."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from jan_server.cli.answering import (
    Ask,
    CannotAnswer,
    Message,
    add_answer_flags,
    answering,
    told,
)
from jan_server.cli.printed_answer import PrintedAnswer
from jan_server.cli.say import say
from jan_server.home import home_folder

__all__ = ["converse", "run"]

_QUOTES = '"""'
_HELP = f"""/clear       forget what was said
/system TEXT what to say before, from now on
/bye         end, as Ctrl-D does
{_QUOTES}          begins and ends a text of several lines"""
_MOST_HISTORY = 1000


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="jan chat",
        description="A conversation. A server that runs is asked where it has the model; otherwise "
        "the model is loaded here. /help lists what can be typed.",
    )
    add_answer_flags(parser)
    return converse(parser.parse_args(arguments))


def converse(asked: argparse.Namespace) -> int:
    try:
        with answering(asked) as ask, _History(home_folder() / "chat_history"):
            _Conversation(ask, asked).go_on()
    except CannotAnswer as error:
        return told(error)
    return 0


class _Conversation:
    def __init__(self, ask: Ask, asked: argparse.Namespace) -> None:
        self._ask = ask
        self._verbose: bool = asked.verbose
        self._system: str = asked.system
        self._said: list[Message] = []

    def go_on(self) -> None:
        while True:
            try:
                text = _read()
            except EOFError:
                print()
                return
            except KeyboardInterrupt:
                say("\nCtrl-D ends")
                continue
            if text == "/bye":
                return
            if text.startswith("/"):
                self._obey(*text.partition(" ")[::2])
            elif text:
                self._say(text)

    def _obey(self, command: str, rest: str) -> None:
        if command == "/clear":
            self._said.clear()
        elif command == "/system":
            self._system = rest
        else:
            say(_HELP)

    def _say(self, text: str) -> None:
        """What cannot be answered is taken back; an answer that was ended stays as it is."""
        before: list[Message] = (
            [{"role": "system", "content": self._system}] if self._system else []
        )
        answer = PrintedAnswer(verbose=self._verbose)
        self._said.append({"role": "user", "content": text})
        sampling: Mapping[str, object] = {}
        try:
            sampling = self._ask([*before, *self._said], answer.show)
        except CannotAnswer as error:
            self._said.pop()
            told(error)
            return
        except KeyboardInterrupt:
            pass
        answer.end(sampling)
        self._said.append({"role": "assistant", "content": answer.text})


def _read() -> str:
    """One line, or several between quotes. Raises EOFError."""
    is_person = sys.stdin.isatty()
    line = input(">>> " if is_person else "")
    if not line.startswith(_QUOTES):
        return line.strip()
    lines = [line.removeprefix(_QUOTES)]
    while not lines[-1].endswith(_QUOTES) or (len(lines) == 1 and not lines[0]):
        lines.append(input("... " if is_person else ""))
    return "\n".join(lines).removesuffix(_QUOTES).strip()


class _History:
    """What was typed, from one conversation to the next. Without readline there is none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        if not sys.stdin.isatty():
            return
        with suppress(ImportError, OSError):
            import readline

            readline.set_history_length(_MOST_HISTORY)
            readline.read_history_file(self._path)

    def __exit__(self, *_: object) -> None:
        if not sys.stdin.isatty():
            return
        with suppress(ImportError, OSError):
            import readline

            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch(mode=0o600)
            readline.write_history_file(self._path)
