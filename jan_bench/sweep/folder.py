"""Where a sweep keeps its points: a file each, so that what was measured once is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from jan_bench.load.measure import Point
from jan_bench.output import write_out
from jan_bench.results import Row
from jan_bench.sweep.grid import Setting
from jan_engine.errors import InvalidRequest, WriteFailed

__all__ = ["PLAN", "SweepFolder"]

PLAN = "sweep.json"


class SweepFolder:
    """A point's file appears whole, after its last request: no killed sweep leaves half of one."""

    def __init__(self, path: Path, plan: dict[str, Any]) -> None:
        """`plan` is what all points share. Raises InvalidRequest where the folder is another's."""
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            before = (path / PLAN).read_bytes() if (path / PLAN).exists() else None
        except OSError as error:
            raise WriteFailed(f"cannot write {path}: {error.strerror or error}") from error
        if before is None:
            write_out(_json(plan), path / PLAN)
            return
        try:
            held = msgspec.json.decode(before, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise InvalidRequest(f"out: {path / PLAN}: {error}") from None
        for name, value in msgspec.json.decode(
            msgspec.json.encode(plan), type=dict[str, Any]
        ).items():
            if held.get(name) != value:
                raise InvalidRequest(
                    f"out: {path} holds a sweep whose {name} was {held.get(name)}, not {value}"
                )

    def result(self, setting: Setting, point: Point) -> Row | None:
        """None where it has not been measured."""
        path = self._path(setting, point)
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise InvalidRequest(f"out: {path}: {error}") from None

    def keep(self, setting: Setting, point: Point, result: Row) -> None:
        write_out(_json(result), self._path(setting, point))

    def _path(self, setting: Setting, point: Point) -> Path:
        load = f"c{point.concurrency}" if point.concurrency is not None else f"r{point.rate:g}"
        return self.path / f"{setting.name}--{load}.json"


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode() + "\n"
