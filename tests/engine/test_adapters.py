"""Low-rank adapters: each request is computed with its own, whoever else runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jan_engine import (
    LLM,
    Adapter,
    AsyncEngine,
    BadModelFile,
    EngineOptions,
    InvalidRequest,
    Model,
    ModelNotFound,
    Request,
    Stream,
    UnsupportedFeature,
)
from tests import models

PROMPT = models.byte_tokens("the quick brown fox jumps over the lazy dog")
N_OUT = 24


@pytest.fixture(scope="module")
def model(model_folder: Path) -> Model:
    return Model(models.write_random(model_folder / "adapted.gguf"))


@pytest.fixture(scope="module")
def adapters(model: Model, model_folder: Path) -> list[Adapter]:
    return [
        Adapter(model, models.write_adapter(model_folder / f"adapter{seed}.gguf", seed=seed))
        for seed in (11, 12, 13)
    ]


SMALL = EngineOptions(
    n_parallel=4, n_ctx=256, check_integrity=True, calibrate_s=0, flash_attention=False
)


def ask(*scaled: tuple[Adapter, float], prompt: list[int] = PROMPT, **rest: object) -> Request:
    return Request(prompt=prompt, max_tokens=N_OUT, ignore_eos=True, adapters=scaled, **rest)  # type: ignore[arg-type]


async def tokens_of(stream: Stream) -> list[int]:
    return [token async for event in stream for token in event.tokens]


def test_an_adapter_says_what_it_is(adapters: list[Adapter]) -> None:
    assert adapters[0].name == "adapter11"
    assert adapters[0].n_bytes > 0


def test_each_request_has_its_own_whoever_runs_beside_it(
    model: Model, adapters: list[Adapter]
) -> None:
    async def run() -> None:
        async with AsyncEngine(model, SMALL) as engine:
            a, b, c = adapters
            sets = [(), ((a, 1.0),), ((b, 1.0),), ((a, 0.5), (b, 1.5)), ((c, -1.0),), ((a, 0.5),)]
            alone = [await tokens_of(engine.submit(ask(*one, cache_prompt=False))) for one in sets]
            assert len({tuple(tokens) for tokens in alone}) == len(sets)
            streams = [engine.submit(ask(*one)) for one in sets for _ in range(3)]
            together = await asyncio.gather(*map(tokens_of, streams))
            assert together == [tokens for tokens in alone for _ in range(3)]

    asyncio.run(run())


def test_equal_to_the_weights_with_the_product_added(
    model_folder: Path, model: Model, adapters: list[Adapter]
) -> None:
    async def run() -> None:
        async with AsyncEngine(model, SMALL) as engine:
            merged = Model(
                models.write_merged(model_folder / "merged.gguf", adapters[0].path, scale=0.5)
            )
            options = EngineOptions(n_parallel=1, n_ctx=256, calibrate_s=0, flash_attention=False)
            with LLM(merged, options) as reference:
                (expected,) = reference.generate(
                    [Request(prompt=PROMPT, max_tokens=N_OUT, logprobs=0)]
                )
            stream = engine.submit(ask((adapters[0], 0.5), logprobs=0))
            events = [event async for event in stream]
            assert [t for e in events for t in e.tokens] == expected.tokens
            found = [chosen.logprob for e in events for chosen in e.logprobs]
            assert found == pytest.approx([one.logprob for one in expected.logprobs], abs=2e-3)

    asyncio.run(run())


def test_a_prefix_is_shared_only_under_equal_adapters(
    model: Model, adapters: list[Adapter]
) -> None:
    async def run() -> None:
        async with AsyncEngine(model, SMALL) as engine:

            async def n_cached(*scaled: tuple[Adapter, float], salt: str = "") -> int:
                stream = engine.submit(ask(*scaled, cache_salt=salt))
                last = [event async for event in stream][-1]
                assert last.finish is not None
                assert last.finish.usage is not None
                return last.finish.usage.n_cached

            a, b, _ = adapters
            assert await n_cached() == 0
            assert await n_cached((a, 1.0)) == 0
            assert await n_cached((b, 1.0)) == 0
            assert await n_cached((a, 0.5)) == 0
            assert await n_cached((a, 1.0)) > 0
            assert await n_cached((b, 0.0)) > 0  # at no strength it is none
            assert await n_cached((a, 1.0), salt="another") == 0

    asyncio.run(run())


def test_nobody_starves_beside_a_long_prompt_or_endless_streams(
    model: Model, adapters: list[Adapter]
) -> None:
    async def run() -> None:
        options = EngineOptions(n_parallel=4, n_ctx=1024, check_integrity=True, calibrate_s=0)
        async with AsyncEngine(model, options) as engine:
            endless = [
                engine.submit(
                    Request(
                        prompt=PROMPT, shift_context=True, ignore_eos=True, adapters=((a, 1.0),)
                    )
                )
                for a in adapters
            ]
            for stream in endless:
                await anext(aiter(stream))
            done = await asyncio.wait_for(tokens_of(engine.submit(ask())), timeout=30)
            assert len(done) == N_OUT
            assert engine.stats()["n_running"] == len(endless)
            for stream in endless:
                stream.cancel()

    asyncio.run(run())


def test_one_that_is_dropped_while_it_runs_stays_until_its_requests_end(
    model: Model, model_folder: Path
) -> None:
    async def run() -> None:
        async with AsyncEngine(model, SMALL) as engine:
            path = models.write_adapter(model_folder / "dropped.gguf", seed=21)
            kept = Adapter(model, path)
            expected = await tokens_of(engine.submit(ask((kept, 1.0), cache_prompt=False)))
            for _ in range(5):
                dropped = Adapter(model, path)
                stream = engine.submit(ask((dropped, 1.0), cache_prompt=False))
                del dropped
                assert await tokens_of(stream) == expected
            assert await tokens_of(engine.submit(ask(cache_prompt=False))) != expected

    asyncio.run(run())


def test_adapters_come_and_go_beside_running_streams(model: Model, model_folder: Path) -> None:
    async def run() -> None:
        async with AsyncEngine(model, SMALL) as engine:
            path = models.write_adapter(model_folder / "coming.gguf", seed=22)
            expected = await tokens_of(engine.submit(ask(cache_prompt=False)))

            async def keep_asking() -> list[list[int]]:
                return [await tokens_of(engine.submit(ask(cache_prompt=False))) for _ in range(20)]

            def come_and_go() -> None:
                for _ in range(20):
                    Adapter(model, path)

            answers, _ = await asyncio.gather(keep_asking(), asyncio.to_thread(come_and_go))
            assert answers == [expected] * 20

    asyncio.run(run())


def test_what_is_no_adapter_of_this_model_is_refused(
    model: Model, model_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelNotFound):
        Adapter(model, tmp_path / "none.gguf")
    with pytest.raises(BadModelFile, match="no LoRA adapter"):
        Adapter(model, model.path)
    other = models.write_adapter(tmp_path / "other.gguf")
    data = other.read_bytes().replace(b"blk.1.attn_q", b"blk.7.attn_q")
    (tmp_path / "renamed.gguf").write_bytes(data)
    with pytest.raises(BadModelFile, match=r"blk\.7\.attn_q"):
        Adapter(model, tmp_path / "renamed.gguf")
    (tmp_path / "cut.gguf").write_bytes(data[: len(data) // 2])
    with pytest.raises(BadModelFile, match="incomplete"):
        Adapter(model, tmp_path / "cut.gguf")


def test_a_request_says_which_adapters_it_cannot_have(
    model_folder: Path, model: Model, adapters: list[Adapter]
) -> None:
    async def run() -> None:
        async with AsyncEngine(model, SMALL) as engine:
            other = Model(models.write_random(model_folder / "another.gguf", seed=8))
            stranger = Adapter(other, adapters[0].path)
            for scaled, why in (
                (((stranger, 1.0),), "another model"),
                (((adapters[0], float("nan")),), "no strength"),
                (((adapters[0], 1.0), (adapters[0], 0.5)), "twice"),
            ):
                with pytest.raises(InvalidRequest, match=f"^adapters: .*{why}"):
                    engine.submit(ask(*scaled))

    asyncio.run(run())


def test_an_adapter_behind_tokens_is_refused(model: Model, tmp_path: Path) -> None:
    path = models.write_adapter(tmp_path / "alora.gguf", invocation=[5, 6])
    with pytest.raises(UnsupportedFeature, match="aLoRA"):
        Adapter(model, path)
