"""What may not become slower than something beside it, or than half as much of itself.

Each is a ratio of medians, taken in turns in one process, with room for a busy machine. Figures in
seconds are the informational benchmarks' and those in bench/results.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from statistics import median

import pytest
from jan_server.sse import TextFrame, frame
from msgspec import Struct

from bench.models import VOCABULARIES
from jan_bench.quality.figures import Scores, quality
from jan_engine import Model
from jan_engine.gauge import ScoredToken
from jan_engine.stream import Stream
from jan_engine.types import Told, read_event

pytestmark = pytest.mark.gate
QWEN2 = VOCABULARIES / "ggml-vocab-qwen2.gguf"
ROUNDS = 15


def ratio(one: Callable[[], object], other: Callable[[], object], rounds: int = ROUNDS) -> float:
    """How many times as long the first takes as the second."""
    times: tuple[list[int], list[int]] = ([], [])
    one()
    other()
    for number in range(rounds):
        both = ((one, times[0]), (other, times[1]))
        for call, into in both if number % 2 else reversed(both):
            begin = time.perf_counter_ns()
            call()
            into.append(time.perf_counter_ns() - begin)
    return median(times[0]) / median(times[1])


class Delta(Struct):
    content: str


class Choice(Struct):
    delta: Delta
    index: int = 0
    finish_reason: str | None = None


class Chunk(Struct):
    choices: list[Choice]
    id: str = "chatcmpl-0123456789abcdef0123456789abcdef"
    object: str = "chat.completion.chunk"
    created: int = 1_700_000_000
    model: str = "a-model-of-some-name"


def test_a_frame_of_text_costs_a_fraction_of_its_object() -> None:
    frames = TextFrame(Chunk([Choice(Delta(TextFrame.MARK))]))

    def made_once() -> None:
        for _ in range(2000):
            frames.of(" word")

    def made_anew() -> None:
        for _ in range(2000):
            frame(Chunk([Choice(Delta(" word"))]))

    def by_the_standard_library() -> None:
        for _ in range(2000):
            chunk = {
                "choices": [{"delta": {"content": " word"}, "index": 0}],
                "id": "",
                "model": "",
            }
            _ = b"data: " + json.dumps(chunk).encode() + b"\n\n"

    assert frames.of(" word") == frame(Chunk([Choice(Delta(" word"))]))
    assert ratio(made_once, made_anew) < 0.5
    assert ratio(made_anew, by_the_standard_library) < 0.75


def test_twice_the_text_takes_twice_the_time() -> None:
    model = Model(QWEN2, vocab_only=True)
    text = "The quick brown fox jumps over the lazy dog. 0123456789 " * 200
    assert ratio(lambda: model.tokenize(text * 2), lambda: model.tokenize(text)) < 3
    tokens = model.tokenize(text)
    assert ratio(lambda: model.detokenize(tokens * 2), lambda: model.detokenize(tokens)) < 3


def test_events_for_a_reader_who_is_behind_cost_what_they_cost() -> None:
    """They are merged as they come, so however many there are, none costs more than the first."""
    loop = asyncio.new_event_loop()

    def delivered(n: int) -> None:
        stream = Stream(loop, lambda: None)
        for _ in range(n):  # a list for each: events are merged into the first
            told: Told = (0, "word", [1000], [], None, None, None)
            stream.deliver(read_event(told))

    try:
        assert ratio(lambda: delivered(4000), lambda: delivered(2000)) < 3
    finally:
        loop.close()


def test_figures_of_twice_the_tokens_take_twice_the_time() -> None:
    def scored(n: int) -> Scores:
        scores = Scores()
        scores.add(ScoredToken(2 + i % 7, 2 + i % 5, 1 / (1 + i % 11), True) for i in range(n))
        return scores

    few, many = scored(2000), scored(4000)
    assert ratio(lambda: quality(many, compared=True), lambda: quality(few, compared=True)) < 3
