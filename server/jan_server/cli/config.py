"""`jan config`: the settings a server would have, and where each comes from."""

from __future__ import annotations

import argparse
import os

import msgspec

from jan_server.cli.settings import settings_and_origins
from jan_server.cli.told import print_json, print_table
from jan_server.home import home_folder

__all__ = ["run"]

_SECRET = {"api_key", "ssl_keyfile_password"}


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="jan config",
        description="The settings that `jan serve` would have with these flags, and where each "
        "comes from; keys are not shown.",
    )
    parser.add_argument("what", choices=("show", "path"), help="path: where a file of them lies")
    parser.add_argument("--json", action="store_true", help="for programs")
    asked, flags = parser.parse_known_args(arguments)
    if asked.what == "path":
        print(os.environ.get("JAN_CONFIG") or home_folder() / "config.toml")
        return 0
    settings, origins = settings_and_origins(flags, prog="jan config show")
    told = {
        name: {"value": _shown(name, value), "origin": origins.get(name, "default")}
        for name, value in msgspec.to_builtins(settings).items()
        if name != "given_now"
    }
    if asked.json:
        print_json(told)
    else:
        rows = [(name, str(one["value"]), str(one["origin"])) for name, one in told.items()]
        print_table(("SETTING", "VALUE", "FROM"), rows)
    return 0


def _shown(name: str, value: object) -> object:
    return "***" if name in _SECRET and value else value
