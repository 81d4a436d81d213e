"""Figures against timelines that were computed by hand."""

from __future__ import annotations

import random
import statistics
from itertools import pairwise

import pytest

from jan_bench.load.drive import Drive
from jan_bench.load.metrics import Metrics, metrics_of, percentile, spread_of
from jan_bench.load.reply import Reply
from jan_bench.load.schedule import arrival_times


def reply(
    scheduled_s: float, *chunk_s: float, n_output: int | None = None, **further: object
) -> Reply:
    facts: dict[str, object] = {
        "scheduled_s": scheduled_s,
        "sent_s": scheduled_s,
        "chunk_s": list(chunk_s),
        "answer_s": chunk_s[0] if chunk_s else None,
        "end_s": chunk_s[-1] if chunk_s else scheduled_s,
        "n_input": 10,
        "n_output": len(chunk_s) if n_output is None else n_output,
        "n_asked": len(chunk_s) if n_output is None else n_output,
        "outcome": "ok",
    }
    return Reply(**(facts | further))  # type: ignore[arg-type]  # fields by name


def of(*replies: Reply, duration_s: float = 10.0, **goodput: float) -> Metrics:
    return metrics_of(Drive(replies=list(replies), duration_s=duration_s, cpu_s=0), goodput)


def test_latencies_of_one_request() -> None:
    found = of(reply(1.0, 1.5, 1.6, 1.8, 2.1))
    assert found.ttft.mean == pytest.approx(500)
    assert found.tpot.mean == pytest.approx(600 / 3)  # without the first token
    assert found.itl.mean == pytest.approx(200)
    assert found.itl.median == pytest.approx(200)
    assert found.e2el.mean == pytest.approx(1100)
    assert found.ttat is None  # it did not reason
    assert found.output_per_s == pytest.approx(0.4)
    assert found.total_per_s == pytest.approx(1.4)


def test_tokens_that_come_bundled_are_told_apart_from_frames() -> None:
    found = of(reply(0.0, 1.0, 1.4, 1.8, n_output=9))
    assert found.tpot.mean == pytest.approx(800 / 8)
    assert found.itl.mean == pytest.approx(400)
    assert found.itl.n == 2


def test_latency_counts_from_when_a_request_should_have_been_sent() -> None:
    found = of(reply(1.0, 3.0, sent_s=2.5))
    assert found.ttft.mean == pytest.approx(2000)


def test_a_single_token_has_no_time_per_further_one() -> None:
    found = of(reply(0.0, 1.0), reply(0.0, 1.0, 1.5))
    assert found.tpot.n == 1
    assert found.tpot.mean == pytest.approx(500)


def test_reasoning_comes_before_the_answer() -> None:
    found = of(reply(0.0, 1.0, 2.0, 3.0, answer_s=3.0))
    assert found.ttft.mean == pytest.approx(1000)
    assert found.ttat is not None
    assert found.ttat.mean == pytest.approx(3000)


def test_a_request_is_good_where_all_of_its_limits_hold() -> None:
    quick, late = reply(0.0, 0.1, 0.2), reply(0.0, 0.9, 1.0)
    slow, lone = reply(0.0, 0.1, 0.9), reply(0.0, 0.1)
    everyone = (quick, late, slow, lone)
    assert of(*everyone).good_per_s is None
    assert of(*everyone, ttft=500.0).good_per_s == pytest.approx(0.3)
    assert of(*everyone, ttft=500.0, tpot=200.0).good_per_s == pytest.approx(0.2)
    assert of(*everyone, ttft=500.0, tpot=200.0, e2el=150.0).good_per_s == pytest.approx(0.1)
    assert of(*everyone, ttft=100.0).good_per_s == pytest.approx(0.3)  # up to and including


def test_errors_are_told_by_kind_and_count_for_nothing_else() -> None:
    found = of(
        reply(0.0, 1.0, 2.0),
        reply(0.0, outcome="http_429"),
        reply(0.0, outcome="http_429"),
        reply(0.0, outcome="timeout"),
        reply(0.0, 5.0, outcome="incomplete"),
        reply(0.0, outcome="cancelled"),
    )
    assert (found.n_ok, found.n_failed, found.n_incomplete, found.n_cancelled) == (1, 4, 1, 1)
    assert found.errors == {"http_429": 2, "timeout": 1}
    assert found.ttft.n == 1
    assert found.n_output == 2


def test_the_best_second_and_the_most_at_once() -> None:
    found = of(
        reply(0.5, 0.9, 1.0, 1.4, 1.6),  # seconds count from 0.5: 3 in the first
        reply(1.6, 1.7, 1.8, 1.9, 2.0, n_output=8),  # begins as the other ends: 2 tokens a frame
    )
    assert found.peak_per_s == pytest.approx(1 + 8)
    assert found.peak_concurrent == 1
    assert of(reply(0.0, 2.0), reply(1.0, 3.0), reply(1.5, 1.7)).peak_concurrent == 3


def test_what_nobody_counted_is_said() -> None:
    found = of(reply(0.0, 1.0, 2.0, n_output=None))
    assert found.counted_by == "server"
    uncounted = reply(0.0, 1.0, 2.0)
    uncounted.n_output = None
    found = of(uncounted)
    assert found.counted_by == "frames"
    assert found.n_output == 2
    uncounted.n_asked, uncounted.was_cut = 7, True  # a frame may hold several tokens
    found = of(uncounted)
    assert found.counted_by == "length"
    assert found.n_output == 7
    assert of(uncounted, reply(0.0, 1.0)).counted_by == "length"


def test_answers_shorter_than_asked_are_counted() -> None:
    assert of(reply(0.0, 1.0, n_asked=5), reply(0.0, 1.0, n_asked=1)).n_short == 1


def test_percentiles_lie_between_values_as_numpy_has_it() -> None:
    assert percentile([1, 2, 3, 4], 50) == 2.5
    assert percentile([1, 2, 3, 4], 99) == pytest.approx(3.97)
    assert percentile([7], 99) == 7


def test_no_values_are_zeroes() -> None:
    assert spread_of([]).percentiles == {50: 0, 90: 0, 95: 0, 99: 0}
    assert of(reply(0.0, outcome="timeout")).peak_per_s == 0
    assert metrics_of(Drive(replies=[], duration_s=0, cpu_s=0), {}).requests_per_s == 0


def test_arrivals_keep_their_rate_and_have_their_burstiness() -> None:
    for burstiness in (0.25, 1.0, 4.0):
        times = arrival_times(4000, 50, burstiness, random.Random(1))
        assert times == sorted(times)
        assert times[-1] == pytest.approx(4000 / 50)
        gaps = [b - a for a, b in pairwise(times)]
        # A gamma distribution's deviation is its mean over the root of its shape.
        deviation = statistics.stdev(gaps) / statistics.fmean(gaps)
        assert deviation == pytest.approx(burstiness**-0.5, rel=0.1)


def test_arrivals_at_the_ends_of_what_can_be_asked() -> None:
    assert arrival_times(3, float("inf"), 1.0, random.Random(1)) == [0, 0, 0]
    assert arrival_times(3, 2, float("inf"), random.Random(1)) == pytest.approx([0.5, 1.0, 1.5])
    one, other = (arrival_times(9, 5, 1.0, random.Random(seed)) for seed in (1, 2))
    assert one != other
