"""`jan rm MODEL...`: forget models, and delete the files of those that are ours."""

from __future__ import annotations

import argparse

from jan_server.cli.told import print_json
from jan_server.cli.verb import with_library
from jan_server.library.library import Library

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="jan rm",
        description="Remove models. Files outside of our folder stay where they are; a further "
        "name is removed alone; a registered folder is forgotten.",
    )
    parser.add_argument("model", nargs="+", help="a model's name, or a registered folder")
    parser.add_argument("--json", action="store_true", help="what was removed, for programs")
    asked = parser.parse_args(arguments)

    async def remove(library: Library) -> int:
        removed = [await library.remove(name) for name in asked.model]
        if asked.json:
            print_json([{"id": name, "deleted": True} for name in removed])
        else:
            for name in removed:
                print(f"removed {name}")
        return 0

    return with_library(remove)
