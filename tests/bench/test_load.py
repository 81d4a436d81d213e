"""What the client measures of a peer whose delays are known, and what it makes of bad ones."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jan_bench.load.dataset import Dataset
from jan_bench.load.endpoint import Api, endpoint_of
from jan_bench.load.measure import Load, Measured, Point, measure, run_in_loop
from jan_engine.errors import InvalidRequest, Unavailable
from tests.bench.peer import Answer, Peer, Script, peer, steady

BUSY_MS = 60  # that a busy machine may add to a delay; none is ever shorter


def measured(
    found: Peer,
    *points: Point,
    api: Api = "completions",
    **facts: Any,  # noqa: ANN401 - fields of Load
) -> list[Measured]:
    wanted: dict[str, Any] = {"dataset": Dataset(n_input=12, n_output=4), "n_warmup": 0}
    load = Load(points=points or (Point(concurrency=1),), **(wanted | facts))
    results: list[Measured] = []
    endpoint = endpoint_of(found.url, api, model="peer", ignore_eos=True)
    run_in_loop(measure(endpoint, load, results.append))
    return results


def after_calibration(script: Script) -> Script:
    """The first two requests ask how long a text is."""

    async def two_then(answer: Answer) -> None:
        await (steady(0, 0) if answer.number < 2 else script)(answer)

    return two_then


def test_known_delays_come_out_as_they_are() -> None:
    with peer(after_calibration(steady(0.12, 0.04))) as found:
        (one,) = measured(found, n_prompts=5, dataset=Dataset(n_input=12, n_output=6))
    metrics = one.metrics
    assert metrics.n_ok == 5
    assert 119 < metrics.ttft.median < 120 + BUSY_MS
    assert 39 < metrics.tpot.median < 40 + BUSY_MS / 4
    assert 39 < metrics.itl.median < 40 + BUSY_MS / 4
    assert 319 < metrics.e2el.median < 320 + 2 * BUSY_MS
    assert metrics.output_per_s == pytest.approx(30 / one.drive.duration_s)
    assert (metrics.n_input, metrics.n_output) == (60, 30)


def test_a_closed_loop_has_so_many_at_once_and_keeps_its_connections() -> None:
    with peer(after_calibration(steady(0.05, 0.01))) as found:
        (one,) = measured(found, Point(concurrency=3), n_prompts=12)
        assert one.metrics.n_ok == 12
        assert one.metrics.peak_concurrent == 3
        assert found.n_connections == 1 + 3  # one for the questions before
    assert 4 * 0.08 < one.drive.duration_s < 8 * 0.08 + 0.1  # one at a time: 12 * 0.08


def test_an_open_loop_keeps_its_schedule_while_the_server_stalls() -> None:
    async def stalls(answer: Answer) -> None:
        await asyncio.sleep(3)  # six times as long as all of them take, since machines stall too
        await steady(0, 0)(answer)

    with peer(after_calibration(stalls)) as found:
        (one,) = measured(found, Point(rate=40), burstiness=float("inf"), n_prompts=20)
        came_s = found.came_s[2:]
    assert came_s[-1] - came_s[0] < 3  # nobody waited for an answer
    assert one.metrics.peak_concurrent == 20
    assert one.metrics.n_ok == 20


def test_what_the_client_sends_late_is_the_servers_latency_too() -> None:
    """A loop that is held up sends late: the callers it stands for would have waited."""

    async def quick(answer: Answer) -> None:
        await steady(0, 0)(answer)

    class Held:
        def __init__(self) -> None:
            self.results: list[Measured] = []

        async def run(self, url: str) -> bool:
            load = Load(
                dataset=Dataset(n_input=12, n_output=1),
                points=(Point(rate=20),),
                burstiness=float("inf"),
                n_prompts=10,
                n_warmup=0,
            )
            asyncio.get_running_loop().call_later(0.3, time.sleep, 0.4)
            endpoint = endpoint_of(url, "completions", model="peer")
            return await measure(endpoint, load, self.results.append)

    held = Held()
    with peer(quick) as found:
        run_in_loop(held.run(found.url))
    (one,) = held.results
    assert max(one.drive.late_s) > 0.2
    assert one.metrics.ttft.percentiles[99] > 200


def test_reasoning_and_answer_are_told_apart() -> None:
    async def thinks(answer: Answer) -> None:
        answer.begin()
        answer.delta(role="assistant", content="")  # no token: said before there is one
        await asyncio.sleep(0.1)
        answer.delta(reasoning_content="Let me think")
        await asyncio.sleep(0.1)
        answer.delta(content="42")
        answer.delta(finish="stop")
        answer.usage(2)
        answer.end()

    with peer(thinks) as found:
        (one,) = measured(found, api="chat", n_prompts=2)
    metrics = one.metrics
    assert metrics.n_ok == 2
    assert 99 < metrics.ttft.median < 100 + BUSY_MS
    assert metrics.ttat is not None
    assert 199 < metrics.ttat.median < 200 + 2 * BUSY_MS
    assert metrics.itl.n == 2
    assert "messages" in found.bodies[0]
    assert found.bodies[-1]["max_completion_tokens"] == 4


async def _refuse_429(answer: Answer) -> None:
    answer.refuse(429)


async def _refuse_500(answer: Answer) -> None:
    answer.refuse(500, "not even JSON")


async def _error_in_stream(answer: Answer) -> None:
    answer.begin()
    answer.token()
    answer.say({"error": {"message": "out of cells"}})
    answer.writer.write(b"0\r\n\r\n")


async def _cut(answer: Answer) -> None:
    answer.begin()
    answer.token()
    await answer.writer.drain()
    answer.writer.close()


async def _ends_unfinished(answer: Answer) -> None:
    answer.begin()
    answer.token()
    answer.writer.write(b"0\r\n\r\n")


async def _hang_up(answer: Answer) -> None:
    answer.writer.close()


async def _never(answer: Answer) -> None:
    await asyncio.sleep(30)


async def _nonsense(answer: Answer) -> None:
    answer.begin()
    answer.bytes(b"data: {nonsense\n\n")
    answer.end()


@pytest.mark.parametrize(
    ("bad", "outcome"),
    [
        (_refuse_429, "http_429"),
        (_refuse_500, "http_500"),
        (_error_in_stream, "error_in_stream"),
        (_hang_up, "connection"),
        (_never, "timeout"),
        (_nonsense, "not_understood"),
    ],
)
def test_errors_are_kept_apart_by_kind(bad: Script, outcome: str) -> None:
    unlucky: dict[str, bool] = {}

    async def every_other(answer: Answer) -> None:
        is_unlucky = unlucky.setdefault(answer.body["prompt"], len(unlucky) % 2 == 1)
        await (bad if is_unlucky else steady(0.01, 0))(answer)

    with peer(after_calibration(every_other)) as found:
        (one,) = measured(found, n_prompts=4, timeout_s=1.5)
    assert one.metrics.errors == {outcome: 2}
    assert (one.metrics.n_ok, one.metrics.n_failed) == (2, 2)
    assert one.metrics.ttft.n == 2
    assert all(reply.error for reply in one.drive.replies if not reply.is_ok)


@pytest.mark.parametrize("cut", [_cut, _ends_unfinished])
def test_an_answer_that_breaks_off_is_no_error_and_no_success(cut: Script) -> None:
    async def every_other(answer: Answer) -> None:
        await (cut if answer.number % 2 else steady(0.01, 0))(answer)

    with peer(after_calibration(every_other)) as found:
        (one,) = measured(found, n_prompts=4, timeout_s=2)
    assert (one.metrics.n_ok, one.metrics.n_incomplete, one.metrics.errors) == (2, 2, {})


def test_a_kept_connection_that_the_server_closed_costs_nobody_a_request() -> None:
    async def once(answer: Answer) -> None:
        answer.is_last = True
        await steady(0, 0)(answer)
        await answer.writer.drain()
        answer.writer.close()

    with peer(once) as found:
        (one,) = measured(found, n_prompts=5)
    assert one.metrics.n_ok == 5
    assert found.n_connections == 7


def test_a_connection_that_closes_unannounced_costs_nobody_a_request() -> None:
    """As llama-server's do, after every stream."""

    async def once(answer: Answer) -> None:
        await steady(0, 0)(answer)
        await answer.writer.drain()
        answer.writer.close()

    with peer(once) as found:
        (one,) = measured(found, n_prompts=5)
    assert one.metrics.n_ok == 5
    assert len(found.bodies) == 7  # nothing was answered twice
    assert any(reply.was_resent for reply in one.drive.replies) or found.n_connections == 7


def test_an_answer_that_is_no_stream_is_one_token_late() -> None:
    async def whole(answer: Answer) -> None:
        answer.begin(kind="application/json")
        usage = b'"usage": {"prompt_tokens": 3, "completion_tokens": 7}'
        answer.bytes(b'{"choices": [{"text": "all", "finish_reason": "stop"}], ' + usage + b"}")
        answer.writer.write(b"0\r\n\r\n")

    with peer(whole) as found:
        (one,) = measured(found, n_prompts=2)
    assert (one.metrics.n_ok, one.metrics.n_output) == (2, 14)


def test_frames_may_be_torn_anywhere() -> None:
    async def torn(answer: Answer) -> None:
        answer.begin()
        for byte in b': ping\n\ndata: {"choices": [{"text": "\xc3\xa9"}]}\r\n\r\n':
            answer.bytes(bytes([byte]))
            await answer.writer.drain()
        answer.token(finish="stop")
        answer.end()

    with peer(torn) as found:
        (one,) = measured(found, n_prompts=1)
    (reply,) = one.drive.replies
    assert reply.is_ok
    assert reply.text == "é word"
    assert len(reply.chunk_s) == 2


def test_no_two_points_share_prompts_and_a_seed_repeats_them() -> None:
    points = (Point(concurrency=1), Point(concurrency=2))
    asked: list[list[str]] = []
    for seed in (1, 1, 2):
        with peer(steady(0, 0)) as found:
            measured(found, *points, n_prompts=4, seed=seed)
        asked.append(sorted(body["prompt"] for body in found.bodies[2:]))
    assert len(set(asked[0])) == 8
    assert asked[0] == asked[1]
    assert not set(asked[0]) & set(asked[2])


def test_prompts_have_as_many_tokens_as_the_server_counts() -> None:
    """Two for the beginning, and five for every word."""

    async def counts(answer: Answer) -> None:
        answer.begin()
        answer.token(finish="length")
        answer.usage(1, n_input=2 + 5 * len(answer.body["prompt"].split()))
        answer.end()

    with peer(counts) as found:
        (one,) = measured(found, n_prompts=3, dataset=Dataset(n_input=102, n_output=1))
    assert one.metrics.n_input == 3 * 102


def test_repeated_beginnings_repeat() -> None:
    dataset = Dataset(name="prefix_repetition", n_input=40, n_prefix=30, n_prefixes=2, n_output=1)
    with peer(steady(0, 0)) as found:
        measured(found, n_prompts=6, dataset=dataset)
    begins = {tuple(body["prompt"].split()[:30]) for body in found.bodies[2:]}
    assert len(begins) == 2
    assert len({body["prompt"] for body in found.bodies[2:]}) == 6


def test_a_server_that_refuses_the_first_request_is_not_measured() -> None:
    with peer(_refuse_500) as found, pytest.raises(Unavailable, match="http_500"):
        measured(found)


def test_a_file_has_prompts_and_lengths(tmp_path: Path) -> None:
    path = tmp_path / "asked.jsonl"
    path.write_text('{"prompt": "one", "output_tokens": 2}\n{"prompt": "two", "max_tokens": 3}\n')
    with peer(steady(0, 0)) as found:
        measured(found, n_prompts=2, dataset=Dataset(name="jsonl", path=path))
    assert {(b["prompt"], b["max_tokens"]) for b in found.bodies[2:]} == {("one", 2), ("two", 3)}
    path.write_text('[{"conversations": [{"from": "human", "value": "%s"}, {"value": "%s"}]}]')
    path.write_text(path.read_text() % ("word " * 20, "said " * 30))
    with peer(steady(0, 0)) as found:
        (one,) = measured(found, n_prompts=1, dataset=Dataset(name="sharegpt", path=path))
    assert found.bodies[2]["max_tokens"] == pytest.approx(30, abs=2)
    assert one.lengths_by == "estimate"
    path.write_text("{")
    with peer(steady(0, 0)) as found, pytest.raises(InvalidRequest, match=r"^dataset_path: "):
        measured(found, n_prompts=1, dataset=Dataset(name="sharegpt", path=path))


@pytest.mark.parametrize(
    "counts_at",
    [("/extras/tokenize/count", "input"), ("/tokenize", "content"), ("/tokenize", "prompt")],
)
def test_a_server_that_counts_texts_says_how_long_those_of_a_file_are(
    tmp_path: Path, counts_at: tuple[str, str]
) -> None:
    path = tmp_path / "said.json"
    pairs = [(f"ask {i} of you", "a b c d e " * (i + 1)) for i in range(20)]
    told = [{"conversations": [{"value": q}, {"value": a}]} for q, a in pairs]
    told.append({"conversations": [{"value": "of " * 900}, {"value": "much " * 200}]})  # too long
    path.write_bytes(msgspec.json.encode(told))
    with peer(steady(0, 0)) as found:
        found.counts_at = counts_at
        (one,) = measured(found, n_prompts=6, dataset=Dataset(name="sharegpt", path=path))
    assert one.lengths_by == counts_at[0]
    asked = {body["prompt"]: body["max_tokens"] for body in found.bodies[2:]}
    assert len(asked) == 6
    assert asked == {q: 2 * len(a.split()) for q, a in pairs if q in asked}
    assert len(set(found.counted)) <= 1 + 2 * 7  # no more of the file than it took
    assert len(found.counted) == len(set(found.counted))


def test_repeats_ask_other_prompts_point_by_point() -> None:
    with peer(steady(0, 0)) as found:
        results = measured(
            found, Point(concurrency=1), Point(concurrency=2), n_prompts=2, n_repeats=3
        )
    order = [(one.repeat, one.point.concurrency) for one in results]
    assert order == [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)]
    prompts = [body["prompt"] for body in found.bodies[2:]]
    assert len(set(prompts)) == 12
