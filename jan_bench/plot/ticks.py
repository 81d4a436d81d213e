"""Where an axis has its marks, and what they are called."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

__all__ = ["Axis", "axis_of"]


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    low: float
    high: float
    is_log: bool
    ticks: list[float]

    def at(self, value: float) -> float:
        """0 at its low end, 1 at its high one."""
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def name(self, tick: float) -> str:
        if abs(tick) >= 10_000:
            return f"{tick / 1000:g}k"
        return f"{tick:,.0f}" if abs(tick) >= 1000 else f"{tick:g}"


def axis_of(values: Sequence[float], *, is_log: bool, from_zero: bool) -> Axis:
    """With room at its ends for what is drawn around a point."""
    least, most = min(values), max(values)
    if is_log:
        return _logarithmic(least, most)
    low = 0.0 if from_zero and least >= 0 else least - 0.08 * (most - least or 1)
    high = most + 0.08 * (most - low or 1)
    step = _step((high - low) / 6.5)
    first = math.ceil(low / step - 1e-9)
    ticks = [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]
    return Axis(low=low, high=high, is_log=False, ticks=ticks)


def _logarithmic(least: float, most: float) -> Axis:
    low, high = least / 1.25, most * 1.35
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        ticks = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
        if len(ticks) >= 4:
            break
    return Axis(low=low, high=high, is_log=True, ticks=ticks)


def _step(rough: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough * 0.999)
