"""Where a request's record goes once the request has ended."""

from __future__ import annotations

import asyncio

from jan_server.telemetry.log import log_request
from jan_server.telemetry.meter import Meter
from jan_server.telemetry.record import Record
from jan_server.telemetry.trace import Tracer

__all__ = ["Observer"]


class Observer:
    def __init__(self, *, logs: bool = True, tracer: Tracer | None = None) -> None:
        self.meter = Meter()
        self.tracer = tracer
        self._logs = logs
        self._n_running = 0  # requests that are being answered
        self.idle = asyncio.Event()  # set while there are none
        self.idle.set()

    def began(self) -> None:
        self._n_running += 1
        self.idle.clear()

    def ended(self, record: Record) -> None:
        self._n_running -= 1
        if not self._n_running:
            self.idle.set()
        self.meter.add(record)
        if self._logs:
            log_request(record)
        if self.tracer is not None:
            self.tracer.add(record)
