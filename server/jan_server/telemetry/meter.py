"""Sums over all requests since the start, for /metrics."""

from __future__ import annotations

from collections import Counter

from jan_server.telemetry.histogram import LATENCY_S, TOKENS, Histogram
from jan_server.telemetry.record import Record

__all__ = ["Meter"]

_CHOICES = (1.0, 2.0, 5.0, 10.0, 20.0)


class Meter:
    """Belongs to the event loop."""

    def __init__(self) -> None:
        self.by_status: Counter[tuple[str, str, int]] = Counter()  # method, route, status
        self.by_reason: Counter[str] = Counter()  # sequences, by why they ended
        self.n_rejected = 0  # requests that were turned away
        self.latency = Histogram(LATENCY_S)
        self.prompt_tokens = Histogram(TOKENS)
        self.generation_tokens = Histogram(TOKENS)
        self.max_tokens = Histogram(TOKENS)
        self.n = Histogram(_CHOICES)

    def add(self, record: Record) -> None:
        self.by_status[record.method, record.route, record.status] += 1
        if record.status in (429, 503):
            self.n_rejected += 1
        if not record.generated:
            return
        self.latency.add(record.duration_s)
        self.n.add(record.n_choices)
        for one in record.generated:
            self.by_reason[one.reason] += 1
            self.prompt_tokens.add(one.n_prompt)
            self.generation_tokens.add(one.n_out)
            if one.max_tokens is not None:
                self.max_tokens.add(one.max_tokens)
