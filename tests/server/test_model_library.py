"""Models over HTTP: pulled, found by any of their names, and removed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from jan_server.config import Settings
from jan_server.library.library import Library, open_library
from jan_server.library.source import read_source

from tests.library.hub import running_hub
from tests.server.running import Running, running
from tests.server.several import NAMES, ask, loaded, pool_of, state, wait_for
from tests.server.test_disconnect import open_request

PARAMETERS = {  # of GetModelResponse, and their types
    **dict.fromkeys(("ctx_len", "ngl", "n_parallel"), int),
    "embedding": bool,
    **dict.fromkeys(("temperature", "token_limit", "top_k", "top_p"), str),
}
ENDLESS = {"model": "mine", "prompt": "a", "n_predict": -1, "stream": True}


def test_deleting_a_model_in_use_wants_force(endless_path: Path, tmp_path: Path) -> None:
    settings = Settings(
        home=str(tmp_path), ctx_size=256, threads=1, context_shift=True, shutdown_timeout=0.2
    )
    with running(settings) as server:
        added = server.post("/v1/models", {"source_url": str(endless_path), "id": "mine"})
        assert added.json() == {"id": "mine", "object": "model", "state": "downloaded"}
        with open_request(server, ENDLESS):
            wait_for(lambda: loaded(server) == ["mine"], "it was not loaded")
            refused = server.client.delete("/v1/models/mine")
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "in_use")
            deleted = server.client.delete("/v1/models/mine?force=true")
            assert deleted.json() == {"id": "mine", "object": "model", "deleted": True}
        assert server.get("/v1/models/mine").status_code == 404
        assert server.client.delete("/v1/models/mine").status_code == 404
        assert endless_path.exists()


def test_a_model_is_pulled_over_http_and_events_tell_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alphabet_path: Path
) -> None:
    with running_hub() as hub, running(Settings(home=str(tmp_path), threads=1)) as server:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.add("owner/repo", "letters.gguf", alphabet_path)
        hub.hold.clear()
        with httpx.stream("GET", server.url + "/v1/models/events", timeout=30) as events:
            lines = events.iter_lines()
            assert next(lines) == ": listening"
            body = {"source_url": "hf:owner/repo"}
            first = server.post("/v1/models", body).json()
            assert first == {"id": "repo", "object": "model", "state": "downloading"}
            assert server.post("/v1/models", body).json() == first  # joined
            assert hub.stopped.wait(20)
            (listed,) = server.get("/v1/models").json()["data"]
            assert listed["state"] == "downloading"
            assert state(server, "repo") == "not_downloaded"
            hub.hold.set()
            assert server.post("/v1/models", {**body, "wait": True}).json()["id"] == "letters"
            assert ask(server, "letters", max_tokens=3).status_code == 200
            told = [line for line in _until(lines, '"state":"ready"') if line.startswith("data: ")]
        states = [msgspec.json.decode(line[6:])["state"] for line in told]
        assert states[-2:] == ["loading", "ready"]
        assert "downloading" in states
        assert "done" in states
        assert len(hub.bodies()) == 1
        answer = server.client.delete("/v1/models/letters")
        assert answer.json()["deleted"]
        assert server.get("/v1/models").json()["data"] == []


def _until(lines: Iterator[str], text: str) -> Iterator[str]:
    for line in lines:
        yield line
        if text in line:
            return


def test_a_download_is_cancelled_over_http(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alphabet_path: Path
) -> None:
    with running_hub() as hub, running(Settings(home=str(tmp_path), threads=1)) as server:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.add("owner/repo", "letters.gguf", alphabet_path)
        hub.hold.clear()
        server.post("/v1/models", {"url": "hf:owner/repo"})
        assert hub.stopped.wait(20)
        assert server.client.delete("/v1/models/repo").json()["deleted"]
        hub.hold.set()
        wait_for(lambda: server.get("/v1/models").json()["data"] == [], "it went on")
        assert not list((tmp_path / "models/files").iterdir())


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (None, 400, "source_url"),
        ({}, 400, "source_url"),
        ({"source_url": "http://elsewhere/a.gguf"}, 400, "source_url"),
        ({"source_url": "/no/such/file.gguf"}, 404, "source_url"),
        ({"source_url": "hf:o/r", "sha256": "x"}, 400, "sha256"),
        ({"source_url": "hf:o/r", "id": "a b"}, 400, "id"),
        ({"source_url": "hf:o/r", "id": "a/start"}, 400, "id"),
        ({"source_url": "hf:o/r", "filename": "../a"}, 400, "filename"),
        ({"source_url": 5}, 400, "source_url"),
    ],
)
def test_what_cannot_be_pulled_is_refused(
    several: Running, body: object, status: int, param: str
) -> None:
    raw = b"" if body is None else msgspec.json.encode(body)
    answer = several.client.post("/v1/models", content=raw)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


def test_offline_nothing_is_fetched(speakers: Path, tmp_path: Path) -> None:
    with pool_of(speakers, tmp_path, offline=True) as server:
        answer = server.post("/v1/models", {"source_url": "hf:owner/repo", "wait": True})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "offline")


@pytest.mark.parametrize("elsewhere", [{"host": "0.0.0.0"}, {"trusted_host": ("models.lan",)}])
def test_files_of_this_machine_are_not_named_from_elsewhere(
    speakers: Path, tmp_path: Path, elsewhere: dict[str, Any]
) -> None:
    with pool_of(speakers, tmp_path) as server:
        server.pool.settings = msgspec.structs.replace(server.pool.settings, **elsewhere)
        for source in (
            str(speakers / "one.gguf"),
            "file:///etc/passwd",
            "http://127.0.0.1:1/a.gguf",
        ):
            answer = server.post("/v1/models", {"source_url": source})
            assert answer.status_code == 403


def test_a_model_is_found_by_alias_and_by_its_source(speakers: Path, tmp_path: Path) -> None:
    async def name(library: Library) -> None:
        await library.pull(read_source(str(speakers / "one.gguf")), model_id="mine")
        await library.name("mine", "my/alias:v1")

    async def prepare() -> None:
        library = await open_library(tmp_path)
        await name(library)
        await library.close()

    asyncio.run(prepare())
    with running(Settings(home=str(tmp_path), threads=1, ctx_size=128)) as server:
        assert ask(server, "my/alias:v1").json()["choices"][0]["text"] == "one!"
        assert loaded(server) == ["mine"]
        for path in ("mine", "my/alias:v1", "file:%2F%2F" + str(speakers / "one.gguf")):
            assert server.get(f"/v1/models/{path}").json()["id"] == "mine"
        assert server.client.put("/v1/models/my/alias:v1/stop").json()["id"] == "mine"
        assert ask(server, "my/alias:v1").status_code == 200
        assert server.client.delete("/v1/models/my/alias:v1").json()["id"] == "my/alias:v1"
        assert ask(server, "my/alias:v1").status_code == 404
        assert loaded(server) == ["mine"]


def test_catalogs_and_providers_are_read(several: Running) -> None:
    listed = several.get("/v1/models/catalogs").json()["data"]
    assert sorted(one["id"] for one in listed) == sorted(NAMES)
    one = several.get("/v1/models/catalogs/one").json()
    assert (one["family"], one["context_length"], one["status"]) == ("llama", 1024, "filled")
    assert several.get("/v1/models/catalogs/nothing").status_code == 404
    (provider,) = several.get("/v1/models/providers").json()["data"]
    assert provider["base_url"].endswith("/v1")


def test_the_second_seeds_examples_work_as_printed(speakers: Path, tmp_path: Path) -> None:
    with running(Settings(home=str(tmp_path), threads=1, ctx_size=128)) as server:
        answer = server.client.post("/v1/models")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "source_url")
        body = {"source_url": f"file://{speakers / 'one.gguf'}", "id": "zephyr-7b"}
        assert server.post("/v1/models", body).json() == {
            "id": "zephyr-7b",
            "object": "model",
            "state": "downloaded",
        }
        (listed,) = server.get("/v1/models").json()["data"]
        assert listed["state"] == "ready"
        assert {type(text) for text in listed["settings"].values()} == {str}
        told = server.get("/v1/models/zephyr-7b").json()
        assert told["state"] == "downloaded"
        assert set(told) >= {"id", "object", "created", "owned_by", "state", "source_url"}
        assert {name: type(told["parameters"][name]) for name in PARAMETERS} == PARAMETERS
        assert set(told["metadata"]) >= {"engine", "quantization", "size"}
        for verb, state in (("start", "running"), ("stop", "stopped")):
            answer = server.client.put(f"/v1/models/zephyr-7b/{verb}")
            assert answer.json() == {"id": "zephyr-7b", "object": "model", "state": state}
            assert server.get("/v1/models/zephyr-7b").json()["state"] == state
        answer = server.client.delete("/v1/models/zephyr-7b")
        assert answer.json() == {"id": "zephyr-7b", "object": "model", "deleted": True}
        assert server.get("/v1/models/zephyr-7b").status_code == 404
        assert server.get("/v1/models").json()["data"] == []
