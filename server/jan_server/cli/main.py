"""The `jan` command. A verb's module is imported when the verb is given."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

__all__ = ["VERBS", "main"]

VERBS = {  # verb -> (module with a function `run`, help)
    "serve": ("serve", "serve a model, or all of them, over HTTP"),
    "pull": ("pull", "get a model: from a hub, an address, or a file or folder here"),
    "list": ("listing", "the models on this machine"),
    "ls": ("listing", "the models on this machine, as list"),
    "show": ("show", "all that is known of a model"),
    "set": ("set", "what a model is loaded with"),
    "run": ("run", "one answer of a model"),
    "chat": ("chat", "a conversation with a model"),
    "tune": ("tune", "settings for this machine, by measuring"),
    "bench": ("bench", "how fast and how good: engines, models, servers"),
    "ps": ("ps", "what a running server has in memory"),
    "stop": ("stop", "take a model out of a running server's memory"),
    "keys": ("keys", "who may call"),
    "launch": ("launch", "a client, told to ask the running server"),
    "rm": ("rm", "remove a model"),
    "cp": ("cp", "give a model a further name"),
    "completions": ("completions", "a script that has your shell complete verbs and names"),
    "config": ("config", "the settings a server would have, and where each comes from"),
    "doctor": ("doctor", "what a report of a fault needs"),
}


class _Version(argparse.Action):
    """Read when it is asked for: looking for it takes as long as everything else."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(version("jan-engine"))
        parser.exit()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="jan", description="A local LLM server.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, (_, text) in VERBS.items():
        verbs.add_parser(verb, help=text, add_help=False)
    chosen, rest = parser.parse_known_args(sys.argv[1:] if arguments is None else arguments)
    run = import_module(f"jan_server.cli.{VERBS[chosen.verb][0]}").run
    try:
        status: int = run(rest)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if type(error).__module__ != "sqlite3":  # not imported for its name alone
            raise
        print(f"error: the models' database cannot be read: {error}", file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
