"""The `jan` command. A verb's module is imported when the verb is given."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="jan", description="A local LLM server.")
    parser.add_argument("--version", action="version", version=version("jan-engine"))
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("serve", help="serve a model over HTTP", add_help=False)
    chosen, rest = parser.parse_known_args(sys.argv[1:] if arguments is None else arguments)
    if chosen.verb == "serve":
        from jan_server.cli.serve import serve

        return serve(rest)
    raise AssertionError(chosen.verb)


if __name__ == "__main__":
    sys.exit(main())
