"""Events on an event loop: order, coalescing, cancelling, closing."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import time
from pathlib import Path

import pytest

from jan_engine import (
    LLM,
    AsyncEngine,
    AttentionKernel,
    EngineClosed,
    EngineOptions,
    Event,
    Finish,
    FinishReason,
    Model,
    QueueFull,
    Request,
    Stream,
    Usage,
    _core,
)
from jan_engine.types import open_core, read_event, submit
from tests import models

SMALL = EngineOptions(n_parallel=4, n_ctx=256, n_threads=1, check_integrity=True)


@pytest.fixture(scope="module")
def forever(tmp_path_factory: pytest.TempPathFactory) -> Model:
    (a,) = models.byte_tokens("a")
    return Model(models.write_scripted(tmp_path_factory.mktemp("m") / "forever.gguf", {a: a}))


async def until(engine: AsyncEngine, name: str, value: int) -> None:
    async with asyncio.timeout(10):
        while engine.stats()[name] != value:  # noqa: ASYNC110 - nothing tells of a count
            await asyncio.sleep(0.001)


def test_progress_is_told_from_before_the_first_pass_to_the_last_one(alphabet: Model) -> None:
    options = EngineOptions(n_parallel=1, n_ctx=256, n_ubatch=16, n_threads=1)
    with LLM(alphabet, options) as llm:
        for n, n_cached in ((50, 0), (80, 50)):
            prompt = models.byte_tokens("a" * n)
            submit(llm.core, alphabet, Request(prompt=prompt, max_tokens=2, progress=True), prompt)
            events = [read_event(told) for _ in range(2) for told in llm.core.take(10) or []]
            while events[-1].finish is None:
                events += [read_event(told) for told in llm.core.take(10) or []]
            told = [event.progress for event in events if event.progress is not None]
            assert {one.n_cached for one in told} == {n_cached}
            assert (told[0].n_read, told[-1].n_read) == (n_cached, n)
            assert [one.n_read for one in told] == sorted({one.n_read for one in told})
            assert told[0].seconds <= told[-1].seconds
            assert all(event.progress is None for event in events[len(told) :])


def test_deltas_concatenate_to_the_whole(alphabet: Model) -> None:
    async def main() -> None:
        async with AsyncEngine(alphabet, SMALL) as engine:
            streams = [engine.submit(Request(prompt="a")) for _ in range(4)]
            whole = await asyncio.gather(*(stream.result() for stream in streams))
            assert {answer.text for answer in whole} == {"bcdefghijklmnopqrstuvwxyz"}
            events = [event async for event in engine.submit(Request(prompt="a", stop=["mno"]))]
            assert "".join(event.text for event in events) == "bcdefghijkl"
            assert [event.finish is not None for event in events] == [False] * (len(events) - 1) + [
                True
            ]
            once = [event async for event in engine.submit(Request(prompt="a", stream=False))]
            assert len(once) == 1

    asyncio.run(main())


def test_a_character_of_many_tokens_comes_in_one_piece(tmp_path: Path) -> None:
    smile = models.byte_tokens("\N{GRINNING FACE}")
    (a,) = models.byte_tokens("a")
    script = {a: smile[0], smile[0]: smile[1], smile[1]: smile[2], smile[2]: smile[3]}
    model = Model(models.write_scripted(tmp_path / "smile.gguf", script))

    async def main() -> list[str]:
        async with AsyncEngine(model, SMALL) as engine:
            return [event.text async for event in engine.submit(Request(prompt="a"))]

    assert [text for text in asyncio.run(main()) if text] == ["\N{GRINNING FACE}"]


def test_cancel_ends_the_stream_and_frees_its_cells(forever: Model) -> None:
    async def main() -> None:
        async with AsyncEngine(forever, SMALL) as engine:
            request = Request(prompt="a", shift_context=True, cache_prompt=False)
            stream = engine.submit(request)
            await anext(stream)
            stream.cancel()
            answer = await stream.result()
            assert answer.finish.reason is FinishReason.CANCELLED
            await until(engine, "n_running", 0)
            await until(engine, "n_cells_used", 0)

    asyncio.run(main())


def test_leaving_or_forgetting_a_stream_cancels_it(forever: Model) -> None:
    async def main() -> None:
        async with AsyncEngine(forever, SMALL) as engine:
            endless = Request(prompt="a", shift_context=True)
            async with engine.submit(endless) as stream:
                await anext(stream)
            await until(engine, "n_cancelled", 1)
            engine.submit(endless)
            gc.collect()
            await until(engine, "n_cancelled", 2)

            async def read() -> None:
                async with engine.submit(endless) as stream:
                    async for _ in stream:
                        pass

            task = asyncio.create_task(read())
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(engine, "n_cancelled", 3)

    asyncio.run(main())


def test_a_full_queue_says_when_to_come_back(forever: Model) -> None:
    options = EngineOptions(n_parallel=1, n_ctx=256, max_waiting=1)

    async def main() -> None:
        async with AsyncEngine(forever, options) as engine:
            streams = [engine.submit(Request(prompt="a", shift_context=True)) for _ in range(2)]
            with pytest.raises(QueueFull) as caught:
                engine.submit(Request(prompt="a"))
            assert caught.value.retry_after_s >= 1
            assert len(streams) == 2

    asyncio.run(main())


class _SlowToReturn:
    """An engine whose submit() comes back long after the request was taken."""

    def __init__(self, core: _core.Engine) -> None:
        self.core = core
        self.n_taken = 0

    def submit(self, prompt: list[int], **how: object) -> int:
        request_id = self.core.submit(prompt, **how)  # type: ignore[arg-type]
        before, deadline = self.n_taken, time.monotonic() + 10
        while self.n_taken < before + 2:
            assert time.monotonic() < deadline, "events wait until submit() is back"
            time.sleep(0.001)
        return request_id

    def take(self, timeout_s: float) -> object:
        self.n_taken += 1
        return self.core.take(timeout_s)

    def cancel(self, request_id: int) -> None:
        self.core.cancel(request_id)

    def close(self, drain: bool) -> None:
        self.core.close(drain)


@pytest.mark.parametrize("max_tokens", [1, 100])
def test_a_slow_submit_delays_nobodys_events(
    forever: Model, monkeypatch: pytest.MonkeyPatch, max_tokens: int
) -> None:
    def open_slow(model: Model, options: EngineOptions) -> tuple[_SlowToReturn, AttentionKernel]:
        core, kernel = open_core(model, options)
        return _SlowToReturn(core), kernel

    monkeypatch.setattr("jan_engine.engine.open_core", open_slow)

    async def main() -> None:
        async with AsyncEngine(forever, SMALL) as engine:
            request = Request(prompt="a", max_tokens=max_tokens, ignore_eos=True)
            streams = [engine.submit(request) for _ in range(3)]
            for answer in await asyncio.gather(*(stream.result() for stream in streams)):
                assert answer.text == "a" * max_tokens

    asyncio.run(main())


def test_close_drains_or_cancels_and_takes_no_more(forever: Model) -> None:
    async def main(drain: bool) -> FinishReason:
        engine = AsyncEngine(forever, SMALL)
        stream = engine.submit(
            Request(prompt="a", max_tokens=240, ignore_eos=True, speculate=False)
        )
        await anext(stream)
        await engine.close(drain=drain)
        with pytest.raises(EngineClosed):
            engine.submit(Request(prompt="a"))
        await engine.close()  # a second time does no harm
        return (await stream.result()).finish.reason

    assert asyncio.run(main(drain=True)) is FinishReason.LENGTH
    assert asyncio.run(main(drain=False)) in {FinishReason.CANCELLED, FinishReason.LENGTH}


def test_two_engines_share_a_model_side_by_side(random_model: Model) -> None:
    async def main() -> None:
        async with AsyncEngine(random_model, SMALL) as a, AsyncEngine(random_model, SMALL) as b:
            request = Request(prompt="side by side", max_tokens=30)
            streams = [engine.submit(request) for engine in (a, b, a, b)]
            answers = await asyncio.gather(*(stream.result() for stream in streams))
            assert len({tuple(answer.tokens) for answer in answers}) == 1

    asyncio.run(main())


def test_streams_of_a_forgotten_engine_end(tmp_path: Path) -> None:
    (a,) = models.byte_tokens("a")

    async def main() -> FinishReason:
        # Neither the model nor the engine has another owner.
        engine = AsyncEngine(models.write_scripted(tmp_path / "forever.gguf", {a: a}), SMALL)
        stream = engine.submit(Request(prompt="a", shift_context=True))
        await anext(stream)
        del engine
        gc.collect()
        return (await stream.result()).finish.reason

    assert asyncio.run(main()) is FinishReason.CANCELLED


def test_an_idle_engine_uses_no_processor(alphabet: Model) -> None:
    async def main() -> float:
        async with AsyncEngine(alphabet, SMALL) as engine:
            await engine.submit(Request(prompt="a")).result()
            await asyncio.sleep(0.3)  # workers poll a little before they sleep
            before = time.process_time()
            await asyncio.sleep(1.0)
            return time.process_time() - before

    assert asyncio.run(main()) < 0.1


def test_stats_and_trace_tell_what_happened(alphabet: Model, tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncEngine(alphabet, SMALL) as engine:
            await engine.submit(Request(prompt="a")).result()
            stats = engine.stats()
            assert stats["n_prompt_tokens"] == 2
            assert stats["n_finished"] == 1
            assert sum(stats["token_gap_s"]["counts"]) == 25
            assert sum(stats["first_token_s"]["counts"]) == 1
            assert stats["forward_s"] <= stats["busy_s"]
            engine.write_trace(tmp_path / "trace.json")

    asyncio.run(main())
    steps = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert sum(event["name"] == "step" for event in steps) == 26


def finish() -> Finish:
    usage = Usage(
        n_prompt=1,
        n_generated=1,
        n_cached=0,
        n_evaluated=1,
        n_parked=0,
        n_drafted=0,
        n_accepted=0,
        truncated=False,
        queued_s=0,
        prefill_s=0,
        decode_s=0,
    )
    return Finish(reason=FinishReason.STOP, usage=usage)


@pytest.mark.parametrize("seed", range(50))
def test_no_interleaving_of_reader_and_writer_loses_text(seed: int) -> None:
    rng = random.Random(seed)

    async def main() -> None:
        stream = Stream(asyncio.get_running_loop(), lambda: None)
        parts = [str(i) + "," for i in range(60)]

        async def write() -> None:
            for i, part in enumerate(parts):
                last = finish() if i == len(parts) - 1 else None
                stream.deliver(Event(text=part, tokens=[i], logprobs=[], finish=last))
                for _ in range(rng.choice([0, 0, 1, 2])):
                    await asyncio.sleep(0)

        writer = asyncio.create_task(write())
        text = ""
        tokens: list[int] = []
        async for event in stream:
            text += event.text
            tokens += event.tokens
            for _ in range(rng.choice([0, 0, 1, 3])):
                await asyncio.sleep(0)
        await writer
        assert text == "".join(parts)
        assert tokens == list(range(60))

    asyncio.run(main())
