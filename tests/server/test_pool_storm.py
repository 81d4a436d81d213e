"""Callers that ask, leave, start and stop models all at once: nobody gets another model's answer,
nothing is held for ever, and no vocabulary is read that is gone.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

import httpx

from tests.server.running import Running
from tests.server.several import NAMES, WORDS, pool_of, wait_for

SECONDS, AT_MOST_S = 4, 60  # the latter where a machine is too slow for enough answers
ENOUGH = 21
MAY_BE_SAID = {"model_not_ready", "service_unavailable"}


class Caller:
    def __init__(self, server: Running, seed: int, said: Counter[str]) -> None:
        self._url = server.url
        self._draw = random.Random(seed)
        self._said = said

    async def call(self, until_s: float) -> None:
        async with httpx.AsyncClient(base_url=self._url, timeout=60) as client:
            while time.monotonic() < until_s or (
                self._said["answered"] < ENOUGH and time.monotonic() < until_s - SECONDS + AT_MOST_S
            ):
                name = self._draw.choice(NAMES)
                what = self._draw.choice(
                    [self._ask, self._ask, self._read, self._leave, self._turn]
                )
                await what(client, name)

    async def _ask(self, client: httpx.AsyncClient, name: str) -> None:
        answer = await client.post("/v1/completions", json={"model": name, "prompt": "?"})
        if self._is_answer(answer):
            assert answer.json()["choices"][0]["text"] == WORDS[name]

    async def _read(self, client: httpx.AsyncClient, name: str) -> None:
        text = "letters " * self._draw.choice([1, 3000])  # short ones on the loop, long ones not
        answer = await client.post("/extras/tokenize", json={"model": name, "input": text})
        if self._is_answer(answer):
            assert len(answer.json()["tokens"]) == len(text)

    async def _leave(self, client: httpx.AsyncClient, name: str) -> None:
        body = {"model": name, "prompt": "?", "n": 2}
        asking = asyncio.create_task(client.post("/v1/completions", json=body))
        await asyncio.wait({asking}, timeout=self._draw.random() * 0.03)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        self._said["left"] += 1

    async def _turn(self, client: httpx.AsyncClient, name: str) -> None:
        if self._draw.random() < 0.5:
            self._is_answer(await client.put(f"/v1/models/{name}/stop"))
        else:
            body = {"n_parallel": self._draw.choice([1, 2])}
            self._is_answer(await client.put(f"/v1/models/{name}/start", json=body))

    def _is_answer(self, answer: httpx.Response) -> bool:
        if answer.status_code == 200:
            self._said["answered"] += 1
            return True
        assert answer.json()["error"]["code"] in MAY_BE_SAID, answer.text
        self._said["refused"] += 1
        return False


def test_a_storm_of_callers_leaves_nothing_behind(speakers: Path, tmp_path: Path) -> None:
    said: Counter[str] = Counter()
    with pool_of(
        speakers, tmp_path, models_max=2, keep_alive=0.05, load_wait=20, shutdown_timeout=0.2
    ) as server:

        async def storm() -> None:
            end = time.monotonic() + SECONDS
            await asyncio.gather(*(Caller(server, seed, said).call(end) for seed in range(12)))

        asyncio.run(storm())
        wait_for(lambda: not server.pool.residents(), "a model is still held")
    assert said["answered"] >= ENOUGH
    assert said["left"]
