"""Contestants in turns, under the same load; a turn that a folder has is not taken again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from jan_bench.circumstances import circumstances
from jan_bench.load.calibration import Scale
from jan_bench.load.dataset import Dataset
from jan_bench.load.endpoint import endpoint_of
from jan_bench.load.measure import Load, Measured, Point, measure, run_in_loop
from jan_bench.load.result import result_of
from jan_bench.model_file import ModelFile
from jan_bench.others import OthersWatch
from jan_bench.peers.ceiling import ceiling
from jan_bench.peers.contestants import Contestant, Shape, contestants
from jan_bench.peers.from_pypi import FromPypi
from jan_bench.result_folder import ResultFolder
from jan_bench.results import Row
from jan_engine.errors import Unavailable

__all__ = ["Match", "Results"]

_LEAST_REQUESTS = 4
_MOST_WARMUP = 8


class Results(msgspec.Struct, kw_only=True):
    """Of so many streams: of each contestant, and of the ceiling, a row per round."""

    rows: dict[str, list[Row]]
    ceilings: list[dict[str, Any]]


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """All that everybody gets alike. `scale` is of the model itself: some servers do not count."""

    model: ModelFile
    path: Path
    programs: Path
    others: Sequence[FromPypi]
    n_input: int
    n_output: int
    n_threads: int
    n_rounds: int
    n_per_stream: int  # requests of a round; four in all at least
    seed: int
    scale: Scale
    folder: ResultFolder | None
    say: Callable[[str], None]

    def run(self, n_streams: Sequence[int]) -> dict[int, Results]:
        """In rounds, each over all loads. Interrupted it has what there is by then. Raises
        Unavailable where one does not start that has to.
        """
        found = {n: Results(rows={}, ceilings=[]) for n in n_streams}
        missing: set[str] = set()
        for number in range(self.n_rounds):
            for n in n_streams:
                try:
                    self._round(number, n, found[n], missing)
                except KeyboardInterrupt:
                    self.say("interrupted")
                    return found
        return found

    def _round(self, number: int, n_streams: int, found: Results, missing: set[str]) -> None:
        shape = Shape(
            model=self.path,
            n_streams=n_streams,
            n_ctx=max(512, (self.n_input + self.n_output) * 5 // 4),
            n_threads=self.n_threads,
        )
        everyone = contestants(shape, self.programs, self.others)
        for one in everyone:
            found.rows.setdefault(one.name, [])  # the table's order
        first = number % len(everyone)
        for one in everyone[first:] + everyone[:first]:
            if one.name in missing:
                continue
            try:
                found.rows[one.name].append(self._turn(one, number))
            except Unavailable as error:
                if not one.is_optional:
                    raise
                missing.add(one.name)
                self.say(f"note: {one.name} is left out: {error}")
        name = f"c{n_streams}-ceiling-{number}"
        found.ceilings.append(self._kept(name, number, lambda: self._ceiling(shape)))

    def _turn(self, one: Contestant, number: int) -> Row:
        name = f"c{one.shape.n_streams}--{one.name.replace(', ', '-').replace(' ', '-')}--{number}"
        return self._kept(name, number, lambda: self._measured(one, number))

    def _kept(self, name: str, number: int, take: Callable[[], Row]) -> Row:
        before = self.folder.result(name) if self.folder is not None else None
        self.say(f"round {number + 1} of {self.n_rounds}: {name}{' (taken before)' * bool(before)}")
        if before is not None:
            return before
        row = take()
        if self.folder is not None:
            self.folder.keep(name, row)
        return row

    def _measured(self, one: Contestant, number: int) -> Row:
        """Each is started for its turn: nobody else's memory and threads are in its way."""
        n_streams = one.shape.n_streams
        load = Load(
            dataset=Dataset(n_input=self.n_input, n_output=self.n_output),
            points=(Point(concurrency=n_streams),),
            n_prompts=max(_LEAST_REQUESTS, self.n_per_stream * n_streams),
            n_warmup=min(n_streams, _MOST_WARMUP),
            seed=self.seed + number,
        )
        found: list[Measured] = []
        watch = OthersWatch()
        with one.serving() as url:
            further: dict[str, Any] = {"temperature": 0, "repeat_penalty": 1}
            endpoint = endpoint_of(
                url, "completions", model="peers", ignore_eos=True, further=further
            )
            under = circumstances(
                "peers",
                models=[self.model],
                flags={
                    "program": one.name,
                    "flags": list(one.flags),
                    "threads": self.n_threads,
                    "fields": further,
                },
                repeats=self.n_rounds,
                warm_up=f"{load.n_warmup} requests",
                seed=load.seed,
                cache_policy=load.cache_policy,
                computes=False,
            )
            if not run_in_loop(measure(endpoint, load, found.append, scale=self.scale)):
                raise KeyboardInterrupt
        row = result_of(found[0], load, endpoint, under, label=one.name)
        row["jan_bench"]["others"] = watch.share()  # its own process has ended
        if not row["completed"]:
            kinds = ", ".join(row["jan_bench"]["errors_by_kind"]) or "every answer broke off"
            raise Unavailable(f"{one.name} answered no request", kinds)
        return row

    def _ceiling(self, shape: Shape) -> dict[str, Any]:
        watch = OthersWatch()
        row = ceiling(shape, self.programs, n_input=self.n_input, n_output=self.n_output)
        return {**row, "others": watch.share()}
