"""`jan stop MODEL...`: take models out of a running server's memory."""

from __future__ import annotations

import argparse
from urllib.parse import quote

from jan_server.cli.live import NoServer, Refused, add_live_flags, live_of
from jan_server.cli.say import say
from jan_server.cli.told import print_json

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="jan stop", description="Take models out of a running server's memory."
    )
    parser.add_argument("model", nargs="+", help="a model's name")
    add_live_flags(parser)
    parser.add_argument("--json", action="store_true", help="what was done, for programs")
    asked = parser.parse_args(arguments)
    live = live_of(asked)
    try:
        stopped = [live.ask("PUT", f"/v1/models/{quote(name)}/stop") for name in asked.model]
    except NoServer as error:
        say(f"error: {error}")
        return 4
    except Refused as error:
        say(f"error: {error}")
        return 3 if error.status == 404 else 1
    if asked.json:
        print_json(stopped)
    else:
        for one in stopped:
            print(f"stopped {one['id']}")
    return 0
