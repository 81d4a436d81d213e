"""What a frame costs the client of `jan bench serve`, once the socket has it. Informational."""

from __future__ import annotations

import json

import httptools
import pytest

from bench.micro.test_first_floor import Benchmark
from jan_bench.load.frames import AnswerReader
from jan_bench.load.reply import Reply

pytestmark = pytest.mark.informational
N_FRAMES = 1000
TOLD = {
    "id": "cmpl-9f8e7d6c5b4a39281706f5e4",
    "object": "text_completion",
    "created": 1732233600,
    "model": "qwen2-0.5b.Q4_K_M",
    "choices": [{"text": " word", "index": 0, "logprobs": None, "finish_reason": None}],
}


def test_a_thousand_frames_as_chunks_of_http(benchmark: Benchmark) -> None:
    frame = b"data: " + json.dumps(TOLD).encode() + b"\n\n"
    chunk = f"{len(frame):x}\r\n".encode() + frame + b"\r\n"
    reader = AnswerReader(Reply(scheduled_s=0.0))
    reader.begin(200, "text/event-stream")

    class Read:
        def on_body(self, body: bytes) -> None:
            reader.take(body, 0.0)

    parser = httptools.HttpResponseParser(Read())
    parser.feed_data(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

    def read() -> None:
        for _ in range(N_FRAMES):
            parser.feed_data(chunk)

    benchmark.pedantic(read, rounds=50, warmup_rounds=5)
