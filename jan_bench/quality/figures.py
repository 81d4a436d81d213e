"""What a text's scored tokens come to: perplexity, divergence and how sure both are.

Defined as upstream's llama-perplexity defines them; ± is one standard error.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence

import msgspec

from jan_engine.gauge import ScoredToken

__all__ = ["ByWindow", "Divergence", "Estimate", "Quality", "Scores", "quality"]

_PERCENTILES = (0.1, 1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9)
_FEWEST = 10  # values that say nothing of their spread


class Estimate(msgspec.Struct, frozen=True):
    value: float
    error: float  # standard error of it


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    mean: Estimate
    least: float
    most: float
    percentiles: dict[str, float]  # "50", "99.9": by linear interpolation


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """From a reference."""

    ppl_base: Estimate
    ppl_difference: Estimate
    ppl_ratio: Estimate
    ln_ppl_ratio: Estimate
    correlation: float  # of both models' log-probabilities
    kl: Distribution  # in nats
    delta_p: Distribution  # of the probability of the text's own token
    delta_p_rms: Estimate
    same_best: Estimate  # share of tokens


class ByWindow(msgspec.Struct, frozen=True, kw_only=True):
    """Means of each window: what two files of the same text are compared by, pair by pair."""

    nll: list[float]
    kl: list[float] = []  # with a reference
    same_best: list[float] = []  # the same


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    n_tokens: int  # scored
    ppl: Estimate
    divergence: Divergence | None = None  # none of the reference itself
    by_window: ByWindow | None = None


class Scores:
    """One model's scored tokens: four numbers of each, however large the vocabulary."""

    def __init__(self) -> None:
        self.nll = array("d")
        self.base_nll = array("d")
        self.kl = array("d")
        self.same_best = array("b")

    def add(self, tokens: Iterable[ScoredToken]) -> None:
        for token in tokens:
            self.nll.append(token.nll)
            self.base_nll.append(token.base_nll)
            self.kl.append(token.kl)
            self.same_best.append(token.same_best)


def quality(scores: Scores, *, compared: bool, n_each: int = 0) -> Quality:
    """`compared` is false for the reference, of which only base_nll means something. `n_each`:
    scored tokens of a window, where means of windows are wanted.
    """
    nll = scores.nll if compared else scores.base_nll
    return Quality(
        n_tokens=len(nll),
        ppl=_exp(_mean(nll)),
        divergence=_divergence(scores) if compared else None,
        by_window=_by_window(scores, compared, n_each) if n_each else None,
    )


def _by_window(scores: Scores, compared: bool, n_each: int) -> ByWindow:
    def means(values: Sequence[float]) -> list[float]:
        return [
            math.fsum(values[at : at + n_each]) / n_each for at in range(0, len(values), n_each)
        ]

    if not compared:
        return ByWindow(nll=means(scores.base_nll))
    return ByWindow(nll=means(scores.nll), kl=means(scores.kl), same_best=means(scores.same_best))


def _divergence(scores: Scores) -> Divergence:
    n = len(scores.nll)
    mean, base = _mean(scores.nll), _mean(scores.base_nll)
    ppl, ppl_base = _exp(mean), _exp(base)
    covariance = _covariance(scores.nll, scores.base_nll)
    both = mean.error * base.error
    ln_ratio = Estimate(
        mean.value - base.value, _root(mean.error**2 + base.error**2 - 2 * covariance)
    )
    ppl_covariance = ppl.value * ppl_base.value * covariance
    delta_p = [
        math.exp(-own) - math.exp(-theirs)
        for own, theirs in zip(scores.nll, scores.base_nll, strict=True)
    ]
    square = _mean([d * d for d in delta_p])
    rms = math.sqrt(square.value)
    same = sum(scores.same_best) / n
    return Divergence(
        ppl_base=ppl_base,
        ppl_difference=Estimate(
            ppl.value - ppl_base.value,
            _root(ppl.error**2 + ppl_base.error**2 - 2 * ppl_covariance),
        ),
        ppl_ratio=_exp(ln_ratio),
        ln_ppl_ratio=ln_ratio,
        correlation=covariance / both if both else 1.0,
        kl=_distribution(scores.kl),
        delta_p=_distribution(delta_p),
        delta_p_rms=Estimate(rms, 0.5 / rms * square.error if rms else 0.0),
        same_best=Estimate(same, _root(same * (1 - same) / max(n - 1, 1))),
    )


def _mean(values: Sequence[float]) -> Estimate:
    n = len(values)
    mean = math.fsum(values) / n
    variance = math.fsum((x - mean) ** 2 for x in values) / n
    return Estimate(mean, _root(variance / (n - 1)) if n > _FEWEST else 0.0)


def _covariance(a: Sequence[float], b: Sequence[float]) -> float:
    """Of the two means."""
    n = len(a)
    if n < _FEWEST:
        return 0.0
    mean_a, mean_b = math.fsum(a) / n, math.fsum(b) / n
    products = ((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    return math.fsum(products) / n / (n - 1)


def _exp(of: Estimate) -> Estimate:
    value = math.inf if of.value > 700 else math.exp(of.value)
    return Estimate(value, value * of.error if of.error else 0.0)


def _root(value: float) -> float:
    """Rounding makes a variance of nothing negative."""
    return math.sqrt(value) if value > 0 else 0.0 if value <= 0 else math.nan


def _distribution(values: Sequence[float]) -> Distribution:
    ordered = sorted(values)
    return Distribution(
        mean=_mean(values),
        least=ordered[0],
        most=ordered[-1],
        percentiles={f"{p:g}": _percentile(ordered, p / 100) for p in _PERCENTILES},
    )


def _percentile(ordered: Sequence[float], fraction: float) -> float:
    place = fraction * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return (1 - (place - below)) * ordered[below] + (place - below) * ordered[above]
