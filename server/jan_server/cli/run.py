"""`jan run MODEL [PROMPT]`: one answer, from a server that runs or in this process."""

from __future__ import annotations

import argparse
import os
import sys

from jan_server.cli.answering import CannotAnswer, add_answer_flags, answering, told
from jan_server.cli.printed_answer import PrintedAnswer
from jan_server.cli.say import say

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    """3 where there is no such model, 4 where a server has no room for it."""
    parser = argparse.ArgumentParser(
        prog="jan run",
        description="One answer. A server that runs is asked where it has the model; otherwise the "
        "model is loaded here. Without a prompt, at a terminal, it is a conversation.",
    )
    add_answer_flags(parser)
    parser.add_argument("prompt", nargs="?", help="what to say to it; stdin is added")
    asked = parser.parse_args(arguments)
    parts = [asked.prompt] if asked.prompt else []
    if not sys.stdin.isatty():
        parts += filter(None, [sys.stdin.read().strip()])
    elif not parts:
        from jan_server.cli.chat import converse

        return converse(asked)
    if not parts:
        say("error: PROMPT is missing: give it, or something on stdin")
        return 2
    messages = [{"role": "system", "content": asked.system}] if asked.system else []
    messages.append({"role": "user", "content": "\n\n".join(parts)})
    answer = PrintedAnswer(verbose=asked.verbose)
    try:
        with answering(asked) as ask:
            sampling = ask(messages, answer.show)
    except CannotAnswer as error:
        return told(error)
    except BrokenPipeError:  # whoever read stdout has gone; so has the reason to go on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    answer.end(sampling)
    return 0
