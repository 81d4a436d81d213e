"""What is on the wire when a stream goes well, and when it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest
from jan_server.answers import SEND_BODY, CallerGone, EventStream, Frames, WholeAnswer
from jan_server.errors import ApiError, from_engine
from litestar.types import Receive, Scope, Send

from jan_engine import BackendFailure, EngineClosed, EngineError
from tests.server.running import read_frames


def explain(error: Exception) -> ApiError:
    assert isinstance(error, EngineError)
    return from_engine(error, wrong_value=422)


async def answer(
    app: EventStream | WholeAnswer,
    *,
    gone_after_s: float = 60,
    state: Mapping[str, object] | None = None,
) -> list[Any]:
    sent: list[Any] = []

    async def send(message: object) -> None:
        sent.append(message)

    async def receive() -> dict[str, str]:
        await asyncio.sleep(gone_after_s)
        return {"type": "http.disconnect"}

    scope = cast("Scope", {"type": "http", "state": {"request_id": "req_1", **(state or {})}})
    await app(scope, cast("Receive", receive), cast("Send", send))
    return sent


def left() -> None:
    pass


def test_a_stream_is_frames_and_then_done() -> None:
    async def work(frames: Frames) -> None:
        await frames.emit(b'data: {"a":1}\n\n')
        await frames.emit(b'data: {"a":2}\n\n')

    start, *bodies = asyncio.run(answer(EventStream(work, left, explain, 60)))
    assert start["status"] == 200
    assert (b"cache-control", b"no-cache") in start["headers"]
    assert [body["more_body"] for body in bodies] == [True, True, False]
    text = b"".join(body["body"] for body in bodies).decode()
    assert read_frames(text) == [{"a": 1}, {"a": 2}, "[DONE]"]


def test_frames_pass_by_who_only_minds_the_status() -> None:
    past: list[Any] = []

    async def send_body(message: object) -> None:
        past.append(message)

    async def work(frames: Frames) -> None:
        await asyncio.gather(frames.emit(b"data: 1\n\n"), frames.emit(b"data: 2\n\n"))

    stream = EventStream(work, left, explain, 60)
    sent = asyncio.run(answer(stream, state={SEND_BODY: send_body}))
    assert [message["type"] for message in sent] == ["http.response.start"]
    text = b"".join(message["body"] for message in past).decode()
    assert read_frames(text) == [1, 2, "[DONE]"]


def test_a_failure_before_the_first_frame_is_an_ordinary_error() -> None:
    async def work(_frames: Frames) -> None:
        raise EngineClosed("the server ends")

    with pytest.raises(EngineClosed):
        asyncio.run(answer(EventStream(work, left, explain, 60)))


def test_a_failure_later_is_one_more_frame_and_nothing_is_done() -> None:
    async def work(frames: Frames) -> None:
        await frames.emit(b'data: {"a":1}\n\n')
        raise BackendFailure("secret: what the device said")

    _, *bodies = asyncio.run(answer(EventStream(work, left, explain, 60)))
    text = b"".join(body["body"] for body in bodies).decode()
    first, error = read_frames(text)
    assert first == {"a": 1}
    assert error["error"]["code"] == "internal_error"
    assert error["error"]["request_id"] == "req_1"
    assert "secret" not in text


def test_silence_is_filled_with_comments() -> None:
    async def work(frames: Frames) -> None:
        await asyncio.sleep(0.2)
        await frames.emit(b'data: {"a":1}\n\n')

    start, *bodies = asyncio.run(answer(EventStream(work, left, explain, 0.02)))
    assert start["type"] == "http.response.start"
    assert bodies[0]["body"].startswith(b":")
    text = b"".join(body["body"] for body in bodies).decode()
    assert read_frames(text) == [{"a": 1}, "[DONE]"]


def test_a_caller_that_leaves_ends_the_work_of_both_kinds() -> None:
    async def main() -> None:
        for kind in ("whole", "stream"):
            gone = asyncio.Event()

            async def wait(_frames: object = None, gone: asyncio.Event = gone) -> bytes:
                await gone.wait()
                raise CallerGone

            async def wait_with_frames(_frames: Frames) -> None:
                await wait()

            app = (
                WholeAnswer(wait, gone.set)
                if kind == "whole"
                else EventStream(wait_with_frames, gone.set, explain, 60)
            )
            assert await answer(app, gone_after_s=0.01) == []

    asyncio.run(main())
