"""`jan ps`: what a running server has in memory."""

from __future__ import annotations

import argparse
from typing import Any

from jan_server.cli.live import Live, NoServer, Refused, add_live_flags, live_of
from jan_server.cli.say import say
from jan_server.cli.told import print_json, print_table, size_text

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="jan ps", description="The models in memory.")
    add_live_flags(parser)
    parser.add_argument("--json", action="store_true", help="every fact, for programs")
    asked = parser.parse_args(arguments)
    try:
        models = _in_memory(live_of(asked))
    except (NoServer, Refused) as error:
        say(f"error: {error}")
        return 4
    if asked.json:
        print_json(models)
        return 0
    rows = [
        (
            model["id"],
            size_text(float(model["metadata"]["memory_bytes"])),
            model["metadata"]["memory_state"],
            model["metadata"]["requests"],
            _until(model["metadata"]["leaves_in_s"]),
        )
        for model in models
    ]
    print_table(("NAME", "MEMORY", "STATE", "REQUESTS", "LEAVES"), rows)
    return 0


def _in_memory(live: Live) -> list[dict[str, Any]]:
    listed = live.ask("GET", "/v1/models")["data"]
    return [model for model in listed if "memory_state" in model["metadata"]]


def _until(seconds: str) -> str:
    return f"in {float(seconds):.0f} s" if seconds else "never"
