"""How much two sets of samples differ, with an interval from drawing both again and again."""

from __future__ import annotations

import random
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
    """Percentiles of the change among draws with replacement. Without end where a single sample
    knows no spread.
    """
    if len(pair.a) < 2 or len(pair.b) < 2:
        return float("-inf"), float("inf")
    changes: list[float] = []
    for _ in range(draws):
        a = pair.statistic(rng.choices(pair.a, k=len(pair.a)))
        b = pair.statistic(rng.choices(pair.b, k=len(pair.b)))
        changes.append(b / a - 1 if a else 0.0)
    changes.sort()
    cut = (1 - confidence) / 2
    return changes[int(cut * draws)], changes[min(int((1 - cut) * draws), draws - 1)]
