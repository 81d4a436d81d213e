"""Who answers `jan run` and `jan chat`: a server that runs and has the model, or this process."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

from jan_server.cli.live import Live, NoServer, Refused, add_live_flags, live_of
from jan_server.cli.say import say

__all__ = ["Ask", "CannotAnswer", "Message", "Show", "add_answer_flags", "answering", "told"]

Message: TypeAlias = dict[str, str]
Show: TypeAlias = Callable[[str, str], None]  # what was thought, what was said
Settings: TypeAlias = Mapping[str, Any]  # how tokens were chosen; nothing where that is not told
Ask: TypeAlias = Callable[[Sequence[Message], Show], Settings]


class CannotAnswer(Exception):
    """In one line, with the status to end with."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def add_answer_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="its name, a file, or where to get it")
    parser.add_argument("--system", default="", help="what to say before")
    parser.add_argument("-n", "--max-tokens", type=int, default=None, help="of an answer")
    parser.add_argument(
        "--temperature",
        type=float,
        default=None,
        help="0 to 2; 0 takes the likeliest token (default: what `jan set` says, else the model's "
        "file, else 0.8)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=None,
        help="an integer; equal ones draw equally (default: random)",
    )
    parser.add_argument("--think", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--verbose", action="store_true", help="how fast it was, on stderr")
    parser.add_argument("--local", action="store_true", help="load it here in any case")
    parser.add_argument("-c", "--ctx-size", type=int, default=4096, help="loaded here: tokens")
    parser.add_argument("-t", "--threads", type=int, default=0, help="loaded here: threads")
    add_live_flags(parser)


@contextmanager
def answering(asked: argparse.Namespace) -> Generator[Ask]:
    """Whoever can. Raises CannotAnswer, then and at each question; a question that is interrupted
    is given up, and the next may be asked.
    """
    live = live_of(asked)
    try:
        is_served = not asked.local and live.is_there() and _has(live, asked.model)
    except (NoServer, Refused) as error:
        raise CannotAnswer(str(error), 4) from None
    if is_served:
        yield partial(_ask_server, live, asked)
        return
    from jan_server.cli.local_answers import local_answers

    with local_answers(asked) as ask:
        yield ask


def _has(live: Live, name: str) -> bool:
    listed = live.ask("GET", "/v1/models")["data"]
    for model in listed:
        aliases = model.get("metadata", {}).get("aliases", "").split(",")
        if name in (model["id"], model.get("source_url"), *aliases):
            return True
    return False


def _ask_server(
    live: Live, asked: argparse.Namespace, messages: Sequence[Message], show: Show
) -> Settings:
    body: dict[str, Any] = {
        "model": asked.model,
        "messages": messages,
        "stream": True,
        "chat_template_kwargs": {"enable_thinking": asked.think},
    }
    body |= {"max_tokens": asked.max_tokens} if asked.max_tokens is not None else {}
    body |= {"temperature": asked.temperature} if asked.temperature is not None else {}
    body |= {"seed": asked.seed} if asked.seed is not None else {}
    settings: Settings = {}
    try:
        for frame in live.events("/v1/chat/completions", body):
            settings = frame.get("generation_settings", settings)
            for choice in frame.get("choices", ()):
                delta = choice["delta"]
                show(delta.get("reasoning_content") or "", delta.get("content") or "")
    except (NoServer, Refused) as error:
        is_busy = isinstance(error, NoServer) or error.status in (409, 503)
        raise CannotAnswer(str(error), 4 if is_busy else 1) from None
    return settings


def told(error: CannotAnswer) -> int:
    say(f"error: {error}")
    return error.status
