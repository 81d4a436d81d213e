"""Many models in one server: loaded when they are asked for, a few at a time, by one load each."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest
from jan_server.config import Settings
from jan_server.inference.served_model import ServedModel

from jan_engine import AsyncEngine, Model
from tests import models
from tests.server.running import Running, running
from tests.server.several import NAMES, WORDS, ask, loaded, pool_of, state, wait_for
from tests.server.test_disconnect import open_request


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """How many loads of a model ran at once, each time one began."""
    running_now: dict[str, int] = {}
    seen: dict[str, list[int]] = {}
    lock = threading.Lock()
    load = ServedModel._open  # pyright: ignore[reportPrivateUsage]

    def counted(served: ServedModel) -> tuple[Model, AsyncEngine | None]:
        with lock:
            running_now[served.id] = running_now.get(served.id, 0) + 1
            seen.setdefault(served.id, []).append(running_now[served.id])
        try:
            return load(served)
        finally:
            with lock:
                running_now[served.id] -= 1

    monkeypatch.setattr(ServedModel, "_open", counted)
    return seen


def test_the_list_is_what_is_on_the_machine_and_nothing_is_loaded(several: Running) -> None:
    listed = several.get("/v1/models").json()
    assert sorted(one["id"] for one in listed["data"]) == sorted(NAMES)
    assert {one["state"] for one in listed["data"]} == {"ready"}
    assert {one["ctx_len"] for one in listed["data"]} == {1024}
    assert loaded(several) == []
    assert state(several, "one") == "downloaded"
    assert several.get("/readyz").status_code == 200


def test_a_request_loads_its_model(several: Running) -> None:
    assert ask(several, "two").json()["choices"][0]["text"] == "two!"
    assert loaded(several) == ["two"]
    assert state(several, "two") == "running"
    assert ask(several, "nothing").json()["error"]["code"] == "model_not_found"
    # Where one model is in memory, a route that needs no name means it.
    assert several.post("/extras/tokenize", {"input": "a"}).json()["tokens"]
    assert several.get("/props").json()["model_alias"] == "two"
    assert 'jan:requests_total{model_name="two"} 1' in several.get("/metrics").text


def test_fifty_requests_over_four_models_are_answered_by_two_at_a_time(
    several: Running, loads: dict[str, list[int]]
) -> None:
    with ThreadPoolExecutor(10) as pool:
        asked = [NAMES[i % 4] for i in range(50)]
        answers = list(pool.map(partial(ask, several), asked))
    assert [one.status_code for one in answers] == [200] * 50
    texts = [one.json()["choices"][0]["text"] for one in answers]
    assert texts == [WORDS[name] for name in asked]
    assert {n for counts in loads.values() for n in counts} == {1}  # never twice at once
    assert len(loaded(several)) <= 2


def test_in_turn_the_one_that_was_used_longest_ago_goes(
    several: Running, loads: dict[str, list[int]]
) -> None:
    for name in ("one", "two", "one", "three", "one"):
        assert ask(several, name).status_code == 200
    assert sorted(loaded(several)) == ["one", "three"]
    assert {name: len(counts) for name, counts in loads.items()} == {"one": 1, "two": 1, "three": 1}
    assert state(several, "two") == "stopped"


def test_memory_stays_within_its_budget(speakers: Path, tmp_path: Path) -> None:
    with pool_of(speakers, tmp_path, models_max=0, models_memory_mb=160) as server:
        most = 0
        for i in range(12):
            assert ask(server, NAMES[i % 4]).status_code == 200
            taken = [one.n_bytes for one in server.pool.residents()]
            assert sum(taken) <= 160 * 1024 * 1024
            most = max(most, len(taken))
        assert most == 2


def test_a_model_that_never_fits_is_told_so(speakers: Path, tmp_path: Path) -> None:
    with pool_of(speakers, tmp_path, models_memory_mb=10) as server:
        answer = ask(server, "one")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "out_of_memory")
        assert loaded(server) == []


def test_a_model_that_is_pinned_stays(speakers: Path, tmp_path: Path) -> None:
    with pool_of(speakers, tmp_path, models_max=2, pin=("three",)) as server:
        assert loaded(server) == ["three"]
        for name in ("one", "two", "four"):
            assert ask(server, name).status_code == 200
        assert sorted(loaded(server)) == ["four", "three"]
    with pool_of(speakers, tmp_path, models_max=1, pin=("three",)) as server:
        answer = ask(server, "one")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "out_of_memory")


def test_a_model_that_nobody_asks_leaves_memory(speakers: Path, tmp_path: Path) -> None:
    with pool_of(speakers, tmp_path, keep_alive=0.1) as server:
        assert ask(server, "one").status_code == 200
        wait_for(lambda: loaded(server) == [], "it stayed")
        assert ask(server, "one").status_code == 200


def test_waiting_for_a_load_ends_with_how_far_it_is(
    speakers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_load = threading.Event()
    load = ServedModel._open  # pyright: ignore[reportPrivateUsage]

    def wait_and_load(served: ServedModel) -> tuple[Model, AsyncEngine | None]:
        assert may_load.wait(60)
        return load(served)

    monkeypatch.setattr(ServedModel, "_open", wait_and_load)
    with pool_of(speakers, tmp_path, load_wait=0.1) as server:
        try:
            answer = ask(server, "one")
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "model_not_ready"
            assert answer.json()["loading"] == {"id": "one", "state": "loading", "progress": 0.0}
            assert int(answer.headers["retry-after"]) >= 1
            listed = server.get("/v1/models").json()["data"]
            assert {one["id"]: one["state"] for one in listed}["one"] == "starting"
        finally:
            may_load.set()
        # It goes on without whoever asked.
        wait_for(lambda: loaded(server) == ["one"], "it was not loaded")
        assert ask(server, "one").status_code == 200


def test_a_model_with_settings_of_its_own_has_them(speakers: Path, tmp_path: Path) -> None:
    with pool_of(speakers, tmp_path) as server:
        answer = server.client.put("/v1/models/one/start", json={"ctx_len": 128, "n_parallel": 1})
        assert answer.json() == {"id": "one", "object": "model", "state": "running"}
        detail = server.get("/v1/models/one").json()
        assert (detail["parameters"]["ctx_len"], detail["parameters"]["n_parallel"]) == (128, 1)
        assert detail["state"] == "running"


def test_start_and_stop_are_idempotent_and_work_as_put_and_post(several: Running) -> None:
    for _ in range(2):
        answer = several.client.put("/v1/models/one/start")
        assert answer.json() == {"id": "one", "object": "model", "state": "running"}
        assert loaded(several) == ["one"]
    for _ in range(2):
        answer = several.client.put("/v1/models/one/stop")
        assert answer.json() == {"id": "one", "object": "model", "state": "stopped"}
        assert loaded(several) == []
    assert state(several, "one") == "stopped"
    assert several.post("/v1/models/start", {"model": "two"}).json()["state"] == "running"
    assert several.post("/v1/models/stop", {"model": "two"}).json()["state"] == "stopped"
    for verb in ("start", "stop"):
        assert several.client.put(f"/v1/models/nothing/{verb}").status_code == 404
        assert several.post(f"/v1/models/{verb}", {}).status_code == 400
    assert several.client.put("/v1/models/one").status_code == 404


def test_one_server_with_one_file_starts_and_stops_it_too(alphabet_path: Path) -> None:
    with running(Settings(model=str(alphabet_path), threads=1, ctx_size=128)) as server:
        for _ in range(2):
            assert server.client.put("/v1/models/alphabet/stop").json()["state"] == "stopped"
            listed = server.get("/v1/models").json()["data"]
            assert [one["id"] for one in listed] == ["alphabet"]
            assert ask(server, "alphabet").status_code == 200
            assert ask(server, "other").status_code == 404
        assert server.pool.library.opened is None  # it has no use for it


@pytest.fixture
def endless(endless_path: Path, tmp_path: Path) -> Iterator[Running]:
    folder = tmp_path / "endless"
    folder.mkdir()
    (folder / "endless.gguf").symlink_to(endless_path)
    models.write_alphabet(folder / "alphabet.gguf")
    with pool_of(
        folder, tmp_path, models_max=1, context_shift=True, shutdown_timeout=0.3
    ) as server:
        yield server


ENDLESS = {"model": "endless", "prompt": "a", "n_predict": -1, "stream": True}


def test_stopping_lets_streams_end_for_a_while(
    endless: Running, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        httpx.stream("POST", endless.url + "/v1/completions", json=ENDLESS, timeout=30) as answer,
        ThreadPoolExecutor(1) as pool,
    ):
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        began = time.monotonic()
        stopping = pool.submit(endless.client.put, "/v1/models/endless/stop")
        rest = [line for line in lines if line]
        assert "service_unavailable" in rest[-1]
        assert len(rest) > 2  # it went on; how far is the machine's affair
        assert stopping.result(20).json()["state"] == "stopped"
        assert time.monotonic() - began >= 0.3
    assert not [record for record in caplog.records if record.exc_info]  # nothing has gone wrong


def test_room_is_not_made_by_ending_streams(endless: Running) -> None:
    with open_request(endless, ENDLESS) as held, ThreadPoolExecutor(1) as pool:
        wait_for(lambda: loaded(endless) == ["endless"], "it was not loaded")
        (resident,) = endless.pool.residents()
        waiting = pool.submit(ask, endless, "alphabet")
        wait_for(lambda: resident.state == "stopping", "nobody wants its place")
        n_before = resident.served.engine.stats()["n_steps"]
        wait_for(lambda: resident.served.engine.stats()["n_steps"] > n_before + 50, "it ended")
        assert not waiting.done()
        held.close()
        assert waiting.result(30).status_code == 200
    assert loaded(endless) == ["alphabet"]


def test_a_model_whose_file_is_damaged_costs_nobody_else(speakers: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes((speakers / "one.gguf").read_bytes())
    with pool_of(speakers, tmp_path / "home") as server:
        server.post("/v1/models", {"source_url": str(broken)})
        broken.write_bytes(b"GGUF" + b"\xff" * 100)
        answer = ask(server, "broken")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "load_failed")
        broken.unlink()
        assert ask(server, "broken").json()["error"]["code"] == "not_downloaded"
        assert state(server, "broken") == "not_downloaded"
        assert ask(server, "one").status_code == 200


def test_unloading_gives_the_memory_back(speakers: Path, tmp_path: Path) -> None:
    import gc
    import weakref

    with pool_of(speakers, tmp_path) as server:
        ask(server, "one")
        model = weakref.ref(server.pool.residents()[0].served.model)
        server.client.put("/v1/models/one/stop")
        gc.collect()
        assert model() is None


def test_the_server_ends_while_models_are_loaded_and_waited_for(
    speakers: Path, tmp_path: Path
) -> None:
    with pool_of(speakers, tmp_path, models_max=1) as server, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, server, NAMES[i % 4]) for i in range(8)]
        server.pool.drain()
        answers = [one.result(30).status_code for one in asked]
    assert set(answers) <= {200, 503}


def test_a_pool_is_ready_without_any_model(tmp_path: Path) -> None:
    with running(Settings(home=str(tmp_path))) as server:
        assert server.get("/v1/models").json()["data"] == []
        assert server.get("/readyz").status_code == 200
        assert server.get("/props").status_code == 503
        assert "jan:models_loaded" in server.get("/metrics").text
