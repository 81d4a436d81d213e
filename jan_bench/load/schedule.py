"""When requests are sent where their rate is given: an open loop waits for nobody."""

from __future__ import annotations

import itertools
import math
import random

__all__ = ["arrival_times"]


def arrival_times(n: int, rate: float, burstiness: float, rng: random.Random) -> list[float]:
    """Seconds from the beginning, ascending. Gaps are drawn from a gamma distribution, whose shape
    is the burstiness: 1 is a Poisson process, less comes in bursts, more is more even. Stretched
    so that the n-th is at n / rate, as vLLM does: another seed is no other rate.
    """
    if math.isinf(rate):
        return [0.0] * n
    if math.isinf(burstiness):
        return [(i + 1) / rate for i in range(n)]
    gaps = [rng.gammavariate(burstiness, 1.0 / (rate * burstiness)) for _ in range(n)]
    times = list(itertools.accumulate(gaps))
    stretch = n / rate / times[-1]
    return [at * stretch for at in times]
