"""`jan keys`: who may call the servers of this machine's user."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime

import msgspec

from jan_server.cli.say import say
from jan_server.cli.told import print_json, print_table
from jan_server.home import home_folder
from jan_server.security.key_file import BadKeyFile, KeyFile, KeyRecord

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="jan keys",
        description="Keys for callers. From the first one on, servers of this JAN_HOME ask for "
        "one; running ones notice within a second. To answer without keys again, remove "
        "JAN_HOME/keys.json and restart the servers.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="create, list or revoke")
    create = verbs.add_parser("create", help="a new key, shown once")
    create.add_argument("name", help="what it is for")
    create.add_argument("--days", type=int, help="how long it is good; for ever without")
    verbs.add_parser("list", help="every key there was")
    revoke = verbs.add_parser("revoke", help="it is good no more")
    revoke.add_argument("key", help="its id, or its name")
    for verb in verbs.choices.values():
        verb.add_argument("--json", action="store_true", help="for programs")
    asked = parser.parse_args(arguments)
    keys = KeyFile(home_folder())
    try:
        if asked.verb == "create":
            return _create(keys, asked)
        return _list(keys, asked) if asked.verb == "list" else _revoke(keys, asked)
    except BadKeyFile as error:
        say(f"error: {error}")
    except OSError as error:
        say(f"error: {keys.path}: {error.strerror}")
    return 1


def _create(keys: KeyFile, asked: argparse.Namespace) -> int:
    if not asked.name.strip():
        say("error: name: a key needs one")
        return 2
    if asked.days is not None and not 0 < asked.days <= 36500:
        say(f"error: --days: {asked.days} is not between 1 and 36500")
        return 2
    is_first = not keys.records()
    expires_at = None if asked.days is None else int(time.time()) + asked.days * 86400
    record, key = keys.create(asked.name, expires_at)
    if asked.json:
        print_json({**_told(record), "key": key})
    else:
        print(key)
        say("It is not shown again." + (" From now on servers ask for a key." if is_first else ""))
    return 0


def _list(keys: KeyFile, asked: argparse.Namespace) -> int:
    told = [_told(record) for record in keys.records()]
    if asked.json:
        print_json(told)
        return 0
    rows = [
        (
            str(one["id"]),
            str(one["name"]),
            f"{one['prefix']}...{one['suffix']}",
            str(one["status"]),
            _day(one["created_at"]),
            _day(one["expires_at"]),
        )
        for one in told
    ]
    print_table(("ID", "NAME", "KEY", "STATUS", "CREATED", "EXPIRES"), rows)
    return 0


def _revoke(keys: KeyFile, asked: argparse.Namespace) -> int:
    gone = keys.revoke(asked.key)
    if gone is None:
        say(f"error: there is no one active key with the id or name '{asked.key}'")
        return 3
    if asked.json:
        print_json(_told(gone))
    else:
        print(f"{gone.name} ({gone.prefix}...{gone.suffix}) is good no more")
    return 0


def _told(record: KeyRecord) -> dict[str, object]:
    facts: dict[str, object] = msgspec.to_builtins(record)
    del facts["sha256"]
    return {**facts, "status": record.status(time.time())}


def _day(at_s: object) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d}" if isinstance(at_s, int) else "-"
