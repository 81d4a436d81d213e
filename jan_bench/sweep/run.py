"""Measures what of a sweep has not been measured yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import msgspec

from jan_bench.circumstances import circumstances
from jan_bench.load.endpoint import Endpoint
from jan_bench.load.measure import Load, Measured, Point, measure, run_in_loop
from jan_bench.load.own_server import OwnServer
from jan_bench.load.result import result_of
from jan_bench.model_file import ModelFile
from jan_bench.result_folder import ResultFolder
from jan_bench.results import Row
from jan_bench.sweep.grid import Setting
from jan_bench.sweep.limits import Limit, highest_load

__all__ = ["Sweep"]

OnPoint = Callable[[Setting, Point, Row, bool], None]  # the last: it had been measured before


class Sweep:
    """Servers are started one at a time, and only for settings of which something is missing."""

    def __init__(
        self,
        folder: ResultFolder,
        load: Load,
        endpoint_of: Callable[[str, str], Endpoint],
        models: dict[str, ModelFile],
        of_server: Sequence[str],
        on_point: OnPoint,
    ) -> None:
        """`endpoint_of`: from a server's address and its model's name. `models`: by their paths."""
        self._folder, self._load, self._endpoint_of = folder, load, endpoint_of
        self._models, self._of_server, self._on_point = models, of_server, on_point

    def run(self, setting: Setting) -> list[Row]:
        """Every load of it. Raises KeyboardInterrupt where somebody interrupted it."""
        with _Server(self, setting) as server:
            return [server.result(point) for point in self._load.points]

    def search(
        self,
        setting: Setting,
        limits: Sequence[Limit],
        *,
        over_rate: bool,
        least: float,
        most: float,
    ) -> tuple[Point | None, list[Row]]:
        """The highest load that keeps every limit, and all that were tried."""
        tried: list[Row] = []
        with _Server(self, setting) as server:

            def holds(point: Point) -> bool:
                tried.append(server.result(point))
                return all(limit.holds(tried[-1]) for limit in limits)

            return highest_load(holds, over_rate=over_rate, least=least, most=most), tried

    def measured(self, setting: Setting, point: Point, server: OwnServer) -> Row:
        load = msgspec.structs.replace(self._load, points=[point])
        endpoint = self._endpoint_of(server.url, server.model)
        under = circumstances(
            "sweep",
            models=[self._models[str(setting.model)]],
            flags=setting.told() | {"server": [*setting.flags(), *self._of_server]},
            warm_up=f"{load.n_warmup} requests before each point",
            seed=load.seed,
            cache_policy=load.cache_policy,
            computes=False,
        )
        found: list[Measured] = []
        if not run_in_loop(measure(endpoint, load, found.append)):
            raise KeyboardInterrupt
        result: dict[str, Any] = result_of(found[0], load, endpoint, under, label=setting.name)
        result["jan_bench"]["setting"] = setting.told()
        return result

    def kept(self, setting: Setting, point: Point) -> Row | None:
        result = self._folder.result(_name(setting, point))
        if result is not None:
            self._on_point(setting, point, result, True)
        return result

    def keep(self, setting: Setting, point: Point, result: Row) -> None:
        self._folder.keep(_name(setting, point), result)
        self._on_point(setting, point, result, False)

    def started(self, setting: Setting) -> OwnServer:
        return OwnServer(
            setting.model, [*setting.flags(), *self._of_server], alias=setting.model.stem
        )


def _name(setting: Setting, point: Point) -> str:
    load = f"c{point.concurrency}" if point.concurrency is not None else f"r{point.rate:g}"
    return f"{setting.name}--{load}"


class _Server:
    """One setting's, started when it is needed for the first time."""

    def __init__(self, sweep: Sweep, setting: Setting) -> None:
        self._sweep, self._setting = sweep, setting
        self._stack = ExitStack()
        self._server: OwnServer | None = None

    def result(self, point: Point) -> Row:
        before = self._sweep.kept(self._setting, point)
        if before is not None:
            return before
        if self._server is None:
            self._server = self._stack.enter_context(self._sweep.started(self._setting))
        result = self._sweep.measured(self._setting, point, self._server)
        self._sweep.keep(self._setting, point, result)
        return result

    def __enter__(self) -> _Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
