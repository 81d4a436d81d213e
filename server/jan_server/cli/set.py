"""`jan set MODEL NAME=VALUE...`: what a model is loaded with in place of the server's own."""

from __future__ import annotations

import argparse

from jan_server.cli.told import print_json
from jan_server.cli.verb import with_library
from jan_server.config import OF_A_MODEL
from jan_server.library.library import Library

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="jan set",
        description="What a model is loaded with in place of the server's own: "
        + ", ".join(sorted(OF_A_MODEL)),
    )
    parser.add_argument("model", help="its name")
    parser.add_argument("setting", nargs="+", help="NAME=VALUE; without a value it is taken back")
    parser.add_argument("--json", action="store_true", help="what it has now, for programs")
    asked = parser.parse_args(arguments)
    pairs = [text.partition("=") for text in asked.setting]
    if not all(sign for _, sign, _ in pairs):
        parser.error("a setting is NAME=VALUE")
    given = {name.replace("-", "_"): value or None for name, _, value in pairs}

    async def change(library: Library) -> int:
        await library.set_settings(asked.model, given)
        settings = (await library.get(asked.model)).settings
        if asked.json:
            print_json(settings)
        else:
            print(
                ", ".join(f"{name}={value}" for name, value in settings.items()) or "the server's"
            )
        return 0

    return with_library(change)
