"""A folder with a file for each result, so that what was measured once is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from jan_bench.output import write_out
from jan_engine.errors import InvalidRequest, WriteFailed

__all__ = ["ResultFolder"]


class ResultFolder:
    """A result's file appears whole, after its last request: nothing killed leaves half of one."""

    def __init__(self, path: Path, verb: str, plan: dict[str, Any]) -> None:
        """`plan` is what all results share; it is kept as VERB.json. Raises InvalidRequest where
        the folder is another's.
        """
        self.path = path
        plan_path = path / f"{verb}.json"
        try:
            path.mkdir(parents=True, exist_ok=True)
            before = plan_path.read_bytes() if plan_path.exists() else None
        except OSError as error:
            raise WriteFailed(f"cannot write {path}: {error.strerror or error}") from error
        if before is None:
            write_out(_json(plan), plan_path)
            return
        try:
            held = msgspec.json.decode(before, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise InvalidRequest(f"out: {plan_path}: {error}") from None
        for name, value in msgspec.json.decode(
            msgspec.json.encode(plan), type=dict[str, Any]
        ).items():
            if held.get(name) != value:
                raise InvalidRequest(
                    f"out: {path} holds a {verb} whose {name} was {held.get(name)}, not {value}"
                )

    def result(self, name: str) -> dict[str, Any] | None:
        """None where it has not been measured."""
        path = self.path / f"{name}.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise InvalidRequest(f"out: {path}: {error}") from None

    def keep(self, name: str, result: dict[str, Any]) -> None:
        write_out(_json(result), self.path / f"{name}.json")


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode() + "\n"
