"""`jan run MODEL PROMPT`: one answer, from a server that runs or in this process."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from jan_server.cli.live import Live, NoServer, Refused, add_live_flags, live_of
from jan_server.cli.say import say

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    """3 where there is no such model, 4 where the server has no room for it."""
    asked = _read(arguments)
    if asked is None:
        say("error: PROMPT is missing: give it, or something on stdin")
        return 2
    messages = [{"role": "system", "content": asked.system}] if asked.system else []
    messages.append({"role": "user", "content": asked.prompt})
    answer = _Answer(verbose=asked.verbose)
    live = live_of(asked)
    try:
        if not asked.local and live.is_there() and _has(live, asked.model):
            _from_server(live, asked, messages, answer)
        else:
            from jan_server.cli.run_local import run_local

            status = run_local(asked, messages, answer.show)
            if status:
                return status
    except (NoServer, Refused) as error:
        say(f"error: {error}")
        return 4 if isinstance(error, NoServer) or error.status in (409, 503) else 1
    except BrokenPipeError:  # whoever read stdout has gone; so has the reason to go on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    answer.end()
    return 0


def _read(arguments: list[str]) -> argparse.Namespace | None:
    parser = argparse.ArgumentParser(
        prog="jan run",
        description="One answer. A server that runs is asked where it has the model; otherwise the "
        "model is loaded here.",
    )
    parser.add_argument("model", help="its name, a file, or where to get it")
    parser.add_argument("prompt", nargs="?", help="what to say to it; stdin is added")
    parser.add_argument("--system", default="", help="what to say before")
    parser.add_argument("-n", "--max-tokens", type=int, default=None, help="of the answer")
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=None, help="the same draws each time")
    parser.add_argument("--think", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--verbose", action="store_true", help="how fast it was, on stderr")
    parser.add_argument("--local", action="store_true", help="load it here in any case")
    parser.add_argument("-c", "--ctx-size", type=int, default=4096, help="loaded here: tokens")
    parser.add_argument("-t", "--threads", type=int, default=0, help="loaded here: threads")
    add_live_flags(parser)
    asked = parser.parse_args(arguments)
    parts = [asked.prompt] if asked.prompt else []
    if not sys.stdin.isatty() and (piped := sys.stdin.read().strip()):
        parts.append(piped)
    asked.prompt = "\n\n".join(parts)
    return asked if parts else None


def _has(live: Live, name: str) -> bool:
    listed = live.ask("GET", "/v1/models")["data"]
    for model in listed:
        aliases = model.get("metadata", {}).get("aliases", "").split(",")
        if name in (model["id"], model.get("source_url"), *aliases):
            return True
    return False


def _from_server(
    live: Live, asked: argparse.Namespace, messages: list[dict[str, str]], answer: _Answer
) -> None:
    body: dict[str, Any] = {
        "model": asked.model,
        "messages": messages,
        "stream": True,
        "temperature": asked.temperature,
        "chat_template_kwargs": {"enable_thinking": asked.think},
    }
    body |= {"max_tokens": asked.max_tokens} if asked.max_tokens is not None else {}
    body |= {"seed": asked.seed} if asked.seed is not None else {}
    for frame in live.events("/v1/chat/completions", body):
        for choice in frame.get("choices", ()):
            delta = choice["delta"]
            answer.show(delta.get("reasoning_content") or "", delta.get("content") or "")


class _Answer:
    """Goes to stdout as it comes; what was thought before it goes to a person on stderr."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._began_s = time.monotonic()
        self._first_s = 0.0
        self._n_pieces = 0
        self._is_person = sys.stderr.isatty()
        self.show: Callable[[str, str], None] = self._show

    def _show(self, thought: str, said: str) -> None:
        self._first_s = self._first_s or time.monotonic()
        self._n_pieces += 1
        if thought and self._is_person:
            print(f"\033[2m{thought}\033[0m", end="", file=sys.stderr, flush=True)
        if said:
            print(said, end="", flush=True)

    def end(self) -> None:
        print(flush=True)
        if self._verbose and self._first_s:
            waited_s = self._first_s - self._began_s
            took_s = time.monotonic() - self._first_s
            rate = (self._n_pieces - 1) / took_s if took_s > 0 else 0.0
            say(f"first after {waited_s:.2f} s, then {rate:.1f} pieces per second")
