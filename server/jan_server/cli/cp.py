"""`jan cp MODEL NAME`: a further name for the same files."""

from __future__ import annotations

import argparse

from jan_server.cli.told import print_json
from jan_server.cli.verb import with_library
from jan_server.library.library import Library

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="jan cp", description="Give a model a further name.")
    parser.add_argument("model", help="its name")
    parser.add_argument("name", help="the further one")
    parser.add_argument("--json", action="store_true", help="what was done, for programs")
    asked = parser.parse_args(arguments)

    async def name(library: Library) -> int:
        model = await library.name(asked.model, asked.name)
        if asked.json:
            print_json({"id": model.id, "alias": asked.name})
        else:
            print(f"{asked.name} is {model.id}")
        return 0

    return with_library(name)
