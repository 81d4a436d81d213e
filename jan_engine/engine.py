"""The engine on an event loop: submit a request, read its events."""

from __future__ import annotations

import json
import threading
import weakref
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from jan_engine import _core
from jan_engine.constraint import CompiledConstraint, Constraint, compile_constraint
from jan_engine.exit import close_at_exit
from jan_engine.kernel import AttentionKernel
from jan_engine.model import Model
from jan_engine.stream import Stream
from jan_engine.types import EngineOptions, Event, Request, open_core, read_event, submit

if TYPE_CHECKING:
    import asyncio

__all__ = ["AsyncEngine"]


class AsyncEngine:
    """Serves one model to any number of tasks. Close it, or use it with `async with`.

    The step loop runs on a native thread without the GIL. One further thread waits for its
    events and hands those of a step to the loop in one call.
    """

    def __init__(self, model: Model | str | Path, options: EngineOptions | None = None) -> None:
        self.model = model if isinstance(model, Model) else Model(model)
        self.options = options or EngineOptions()
        self.core, self._kernel = open_core(self.model, self.options)
        close_at_exit(self)
        self._streams = _Streams()
        self._pump = threading.Thread(
            target=_pump, args=(self.core, self._streams), name="jan-events", daemon=True
        )
        self._pump.start()

    def submit(self, request: Request) -> Stream:
        """Queue a request. Its events come on the running loop.

        Raises InvalidRequest, ContextOverflow, QueueFull or EngineClosed at once. A text prompt
        is tokenised here, and a constraint compiled: on another thread do so for long ones, and
        pass the ids and what compile() returned.
        """
        prompt = request.prompt
        if isinstance(prompt, str):
            prompt = self.model.tokenize(prompt, parse_special=True)
        core = self.core
        request_id = 0

        def cancel() -> None:
            if request_id:
                core.cancel(request_id)

        # Here, since it would be a third of the time that importing this package takes.
        from asyncio import get_running_loop

        stream = Stream(get_running_loop(), cancel)
        request_id = submit(core, self.model, request, prompt)
        for event in self._streams.add(request_id, stream):
            stream.deliver(event)
        return stream

    def compile(self, constraint: Constraint) -> CompiledConstraint:
        """A constraint for any number of this engine's requests; on any thread.

        Raises InvalidRequest. The engine remembers what it compiled, so asking again is cheap.
        """
        return compile_constraint(self.core, constraint)

    def stats(self) -> dict[str, Any]:
        """Counters, sums and histograms since the start, read without stopping anything."""
        return self.core.stats()

    @property
    def attention_kernel(self) -> AttentionKernel:
        """Which one computes here, and the figures that decided it."""
        return self._kernel

    @property
    def n_threads(self) -> int:
        """That compute: what the options left open is settled."""
        return self.core.n_threads

    def write_trace(self, path: str | Path) -> None:
        """The last steps in Chrome's trace format, for chrome://tracing or Perfetto."""
        events: list[dict[str, Any]] = []
        for step in self.core.trace():
            rows = {name: step[name] for name in ("n_decode", "n_prefill", "n_passes", "n_waiting")}
            total_us = (step["end_s"] - step["start_s"]) * 1e6
            frame = {"ph": "X", "pid": 1, "tid": 1, "ts": step["start_s"] * 1e6}
            events.append({**frame, "name": "step", "dur": total_us, "args": rows})
            events.append({**frame, "name": "forward", "dur": step["forward_s"] * 1e6})
        Path(path).write_text(json.dumps({"traceEvents": events}))

    async def close(self, *, drain: bool = False) -> None:
        """Take no more requests; with `drain` let those there are come to their end."""
        from asyncio import get_running_loop

        self.core.close(drain)
        await get_running_loop().run_in_executor(None, self._pump.join)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        if hasattr(self, "core"):
            self.core.close(False)  # the pump ends when the engine has told everything


class _Streams:
    """Who reads which request's events. Shared by the loops and the pump.

    A request's first events may come before submit() knows its id. They are kept here meanwhile,
    so that submit() need not hold the lock while native code takes its time.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_request: dict[int, weakref.ref[Stream]] = {}
        self.early: dict[int, list[Event]] = {}

    def add(self, request_id: int, stream: Stream) -> list[Event]:
        """From now on its events go to `stream`; those that came before are returned."""
        with self.lock:
            early = self.early.pop(request_id, [])
            if not early or early[-1].finish is None:
                self.by_request[request_id] = weakref.ref(stream)
        return early

    def find(self, events: list[tuple[int, Event]]) -> list[tuple[Stream, Event]]:
        """With whom reads each; without those that nobody reads any more, or not yet."""
        found: list[tuple[Stream, Event]] = []
        with self.lock:
            for request_id, event in events:
                reference = self.by_request.get(request_id)
                if reference is None:
                    self.early.setdefault(request_id, []).append(event)
                    continue
                if event.finish is not None:
                    del self.by_request[request_id]
                stream = reference()
                if stream is not None:
                    found.append((stream, event))
        return found


def _pump(core: _core.Engine, streams: _Streams) -> None:
    """Carry events to their loops until the engine is closed. One call per step and loop."""
    while (told := core.take(1.0)) is not None:
        batches: dict[asyncio.AbstractEventLoop, list[tuple[Stream, Event]]] = {}
        for found in streams.find([(record[0], read_event(record)) for record in told]):
            batches.setdefault(found[0].loop, []).append(found)
        for loop, batch in batches.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_deliver, batch)


def _deliver(batch: list[tuple[Stream, Event]]) -> None:
    for stream, event in batch:
        stream.deliver(event)
