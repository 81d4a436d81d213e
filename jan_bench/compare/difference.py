"""How much two sets of samples differ, with an interval from drawing both again and again."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from typing import Literal

import msgspec

from jan_bench.compare.samples import Pair

__all__ = ["Difference", "Verdict", "difference"]

Verdict = Literal["worse", "better", "same", "unsure"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    where: str
    figure: str
    unit: str
    a: float
    b: float
    change: float  # of b against a: 0.1 is a tenth more
    low: float  # of the interval
    high: float
    n_a: int
    n_b: int
    verdict: Verdict
    may_fail: bool


def difference(
    pair: Pair, *, tolerance: float, confidence: float, draws: int, seed: int
) -> Difference | None:
    """None where there is nothing to divide by. `worse` needs both: more than the tolerance, and an
    interval that does not hold zero. `same` has its whole interval within the tolerance.
    """
    if not pair.a or not pair.b or not (a := pair.statistic(pair.a)):
        return None
    b = pair.statistic(pair.b)
    change = b / a - 1
    low, high = _interval(pair, confidence, draws, random.Random(f"{seed}, {pair.where}"))
    loss = -change if pair.more_is_better else change
    is_sure = (low > 0 or high < 0) and pair.may_fail
    verdict: Verdict = "unsure"
    if is_sure and abs(loss) > tolerance:
        verdict = "worse" if loss > 0 else "better"
    elif -tolerance <= low and high <= tolerance:
        verdict = "same"
    return Difference(
        where=pair.where,
        figure=pair.figure,
        unit=pair.unit,
        a=a,
        b=b,
        change=change,
        low=low,
        high=high,
        n_a=len(pair.a),
        n_b=len(pair.b),
        verdict=verdict,
        may_fail=pair.may_fail,
    )


def _interval(pair: Pair, confidence: float, draws: int, rng: random.Random) -> tuple[float, float]:
    """Percentiles of the change among draws with replacement, made as much wider as Student's
    distribution is than the normal one: of few samples the draws know too little. Without end where
    a single sample knows no spread.
    """
    if len(pair.a) < 2 or len(pair.b) < 2:
        return float("-inf"), float("inf")
    changes: list[float] = []
    both = list(zip(pair.a, pair.b, strict=True)) if pair.is_paired else []
    for _ in range(draws):
        if both:
            drawn = rng.choices(both, k=len(both))
            a = pair.statistic([one for one, _ in drawn])
            b = pair.statistic([other for _, other in drawn])
        else:
            a = pair.statistic(_drawn(pair.a, pair.is_timed, rng))
            b = pair.statistic(_drawn(pair.b, pair.is_timed, rng))
        changes.append(b / a - 1 if a else 0.0)
    changes.sort()
    cut = (1 - confidence) / 2
    low, high = changes[int(cut * draws)], changes[min(int((1 - cut) * draws), draws - 1)]
    n = min(len(samples) // _run_length(samples, pair.is_timed) for samples in (pair.a, pair.b))
    wider = _student(confidence, max(n - 1, 1)) * (n / max(n - 1, 1)) ** 0.5
    middle = pair.statistic(pair.b) / pair.statistic(pair.a) - 1
    return middle - (middle - low) * wider, middle + (high - middle) * wider


def _drawn(samples: Sequence[float], is_timed: bool, rng: random.Random) -> list[float]:
    """As many as there are. In runs of neighbours where these share what the machine did then:
    taken one by one they would seem to agree that it was always so.
    """
    length = _run_length(samples, is_timed)
    if length == 1:
        return rng.choices(samples, k=len(samples))
    drawn: list[float] = []
    while len(drawn) < len(samples):
        start = rng.randrange(len(samples) - length + 1)
        drawn += samples[start : start + length]
    return drawn[: len(samples)]


def _run_length(samples: Sequence[float], is_timed: bool) -> int:
    return max(1, math.isqrt(len(samples))) if is_timed else 1


def _student(confidence: float, freedom: int) -> float:
    """Its quantile over the normal distribution's, by Cornish and Fisher's expansion."""
    z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    first = (z**3 + z) / (4 * freedom)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return (z + first + second) / z
