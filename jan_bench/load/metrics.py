"""From when tokens came to the numbers people compare. Definitions are vLLM's where it has one:

TTFT   from when a request should have been sent to its first token, reasoning included
TTAT   the same to the first token of the answer proper; only where a model reasons
TPOT   per token after the first, by the server's count: (E2EL - TTFT) / (n - 1), one per request
ITL    between two frames; where a frame holds several tokens it is not TPOT
E2EL   until the end of the answer

Of failed requests no latency counts: they are told apart, by kind.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from jan_bench.load.drive import Drive
from jan_bench.load.reply import CANCELLED, INCOMPLETE, Reply

__all__ = ["PERCENTILES", "Metrics", "Spread", "metrics_of", "percentile", "spread_of"]

PERCENTILES = (50, 90, 95, 99)


# Who says how many tokens an answer has: the server; or its length, where it ended by that; or its
# frames, each taken for a token.
CountedBy = Literal["server", "length", "frames"]


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """In milliseconds."""

    n: int
    mean: float
    median: float
    std: float  # of all there are: nothing is estimated
    percentiles: dict[int, float]


class Metrics(msgspec.Struct, kw_only=True):
    n_ok: int
    n_failed: int  # all but those and what we cancelled
    n_incomplete: int
    n_cancelled: int
    errors: dict[str, int]  # by kind, incomplete ones apart
    n_short: int  # fewer tokens than were asked for
    n_input: int
    n_output: int
    n_cached: int | None  # of the prompts' tokens; None where the server does not tell
    counted_by: CountedBy
    requests_per_s: float
    good_per_s: float | None
    output_per_s: float
    total_per_s: float
    peak_per_s: float  # tokens out in the best of the run's seconds
    peak_concurrent: int
    ttft: Spread
    ttat: Spread | None
    tpot: Spread
    itl: Spread
    e2el: Spread


def metrics_of(drive: Drive, goodput: Mapping[str, float]) -> Metrics:
    """`goodput`: the most that ttft, tpot and e2el may be, in ms, for a request to be good."""
    ok = [reply for reply in drive.replies if reply.is_ok]
    outcomes = Counter(reply.outcome for reply in drive.replies if not reply.is_ok)
    n_cancelled, n_incomplete = outcomes.pop(CANCELLED, 0), outcomes.pop(INCOMPLETE, 0)
    n_input = sum(reply.n_input or 0 for reply in ok)
    n_output = sum(reply.n_tokens for reply in ok)
    cached = [reply.n_cached for reply in ok if reply.n_cached is not None]
    duration_s = drive.duration_s or math.inf
    reasons = any(r.answer_s is None or r.answer_s > r.chunk_s[0] for r in ok)
    good = sum(_is_good(reply, goodput) for reply in ok)
    answers = [r.answer_s - r.scheduled_s for r in ok if r.answer_s is not None]
    return Metrics(
        n_ok=len(ok),
        n_failed=sum(outcomes.values()) + n_incomplete,
        n_incomplete=n_incomplete,
        n_cancelled=n_cancelled,
        errors=dict(sorted(outcomes.items())),
        n_short=sum(reply.n_tokens < reply.n_asked for reply in ok),
        n_input=n_input,
        n_output=n_output,
        n_cached=sum(cached) if cached else None,
        counted_by=_counted_by(ok),
        requests_per_s=len(ok) / duration_s,
        good_per_s=good / duration_s if goodput else None,
        output_per_s=n_output / duration_s,
        total_per_s=(n_input + n_output) / duration_s,
        peak_per_s=_peak_per_s(ok),
        peak_concurrent=_peak_concurrent(ok),
        ttft=spread_of([reply.ttft_s for reply in ok]),
        ttat=spread_of(answers) if reasons else None,
        tpot=spread_of([tpot for reply in ok if (tpot := reply.tpot_s) is not None]),
        itl=spread_of([gap for reply in ok for gap in reply.itl_s]),
        e2el=spread_of([reply.e2e_s for reply in ok]),
    )


def spread_of(seconds: Sequence[float]) -> Spread:
    """Zeroes for no values, as in vLLM's files."""
    ms = sorted(value * 1000 for value in seconds) or [0.0]
    return Spread(
        n=len(seconds),
        mean=statistics.fmean(ms),
        median=statistics.median(ms),
        std=statistics.pstdev(ms),
        percentiles={p: percentile(ms, p) for p in PERCENTILES},
    )


def percentile(ascending: Sequence[float], p: float) -> float:
    """Between two values, in proportion: numpy's default."""
    at = (len(ascending) - 1) * p / 100
    low = math.floor(at)
    high = min(low + 1, len(ascending) - 1)
    return ascending[low] + (ascending[high] - ascending[low]) * (at - low)


def _counted_by(replies: Sequence[Reply]) -> CountedBy:
    """The worst there is among them."""
    uncounted = [reply for reply in replies if reply.n_output is None]
    if not uncounted:
        return "server"
    return "length" if all(reply.was_cut for reply in uncounted) else "frames"


def _is_good(reply: Reply, goodput: Mapping[str, float]) -> bool:
    took = {"ttft": reply.ttft_s, "tpot": reply.tpot_s or 0.0, "e2el": reply.e2e_s}
    return all(took[name] * 1000 <= most_ms for name, most_ms in goodput.items())


def _peak_per_s(replies: Sequence[Reply]) -> float:
    """Seconds are counted from the first request. Of frames with several tokens, the average."""
    if not replies:
        return 0.0
    first_s = min(reply.scheduled_s for reply in replies)
    seconds: defaultdict[int, float] = defaultdict(float)
    for reply in replies:
        n_per_chunk = reply.n_tokens / len(reply.chunk_s)
        for at_s in reply.chunk_s:
            seconds[int(at_s - first_s)] += n_per_chunk
    return max(seconds.values())


def _peak_concurrent(replies: Sequence[Reply]) -> int:
    """One that ends just as another begins makes room for it."""
    changes = [(reply.scheduled_s, 1) for reply in replies]
    changes += [(reply.end_s, -1) for reply in replies]
    now = peak = 0
    for _, change in sorted(changes):
        now += change
        peak = max(peak, now)
    return peak
