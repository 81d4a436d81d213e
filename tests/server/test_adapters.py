"""/lora-adapters, and requests that ask for what is there."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from jan_server.config import Settings
from jan_server.inference.adapters import read_adapter_flag

from tests import models
from tests.server.running import Running, running

ASK = {"model": "adapted", "prompt": "the quick brown fox", "max_tokens": 16, "temperature": 0}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    (home / "adapters").mkdir()
    for seed in (31, 32):
        models.write_adapter(home / f"adapters/voice{seed}.gguf", seed=seed)
    models.write_random(home / "adapters/model.gguf")
    return home


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.write_random(tmp_path_factory.mktemp("m") / "adapted.gguf")


@pytest.fixture
def server(path: Path, home: Path) -> Iterator[Running]:
    settings = Settings(model=str(path), parallel=4, ctx_size=256, threads=1, home=str(home))
    with running(settings) as server:
        yield server


def text(server: Running, **fields: Any) -> str:  # noqa: ANN401 - a request's fields
    answer = server.post("/v1/completions", {**ASK, "ignore_eos": True, **fields})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["text"])


def put(server: Running, **fields: object) -> dict[str, Any]:
    answer = server.client.put("/lora-adapters", json=fields)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_loaded_listed_asked_for_and_unloaded(server: Running) -> None:
    plain = text(server)
    assert server.get("/lora-adapters").json() == []
    first = put(server, file="voice31.gguf", name="first")
    second = put(server, file="voice32")
    assert [first["id"], second["id"]] == [0, 1]
    assert [one["name"] for one in server.get("/lora-adapters").json()] == ["first", "voice32"]
    assert text(server) == plain  # loaded is not applied
    by_id = text(server, lora=[{"id": 0, "scale": 1.0}])
    assert by_id == text(server, lora=[{"id": "first", "scale": 1.0}]) != plain
    assert text(server, lora=[{"id": 1, "scale": 1.0}]) not in {plain, by_id}
    assert text(server, lora=[{"id": 0, "scale": 0.0}]) == plain
    gone = server.client.delete("/lora-adapters/first")
    assert gone.json()["id"] == 0
    answer = server.post("/v1/completions", {**ASK, "lora": [{"id": 0, "scale": 1}]})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "lora"
    assert server.client.delete("/lora-adapters/first").status_code == 404


def test_scales_hold_for_requests_that_say_nothing(server: Running) -> None:
    plain = text(server)
    put(server, file="voice31.gguf")
    put(server, file="voice32.gguf", scale=0.5)
    halved = text(server)
    assert halved == text(server, lora=[{"id": 1, "scale": 0.5}]) != plain
    assert server.post("/lora-adapters", [{"id": 0, "scale": 1.0}]).json() == {"success": True}
    assert [one["scale"] for one in server.get("/lora-adapters").json()] == [1.0, 0.0]
    assert text(server) == text(server, lora=[{"id": 0, "scale": 1.0}]) not in {plain, halved}
    assert text(server, lora=[]) == plain
    assert server.post("/lora-adapters", [{"id": 7, "scale": 1.0}]).status_code == 400
    for body, param in [
        (b'[{"id": 0, "scale": "strong"}]', "[0].scale"),
        (b'[{"id": 0, "scale": 1}, {"id": 0}]', "[1]"),
        (b'{"id": 0, "scale": 1}', None),
        (b'[],"scales":[{"id":0,"scale":9}]', None),
        (b"", None),
    ]:
        refused = server.client.post("/lora-adapters", content=body)
        assert refused.status_code == 400
        assert refused.json()["error"]["param"] == param
    assert [one["scale"] for one in server.get("/lora-adapters").json()] == [1.0, 0.0]


def test_chats_and_messages_have_them_and_settings_tell(server: Running) -> None:
    put(server, file="voice31.gguf")
    asked = {"model": "adapted", "messages": [{"role": "user", "content": "hello"}]}
    fixed = {**asked, "max_tokens": 16, "temperature": 0, "ignore_eos": True, "seed": 1}
    plain = server.post("/v1/chat/completions", fixed).json()
    other = server.post("/v1/chat/completions", {**fixed, "lora": [{"id": 0, "scale": 1.0}]}).json()
    assert plain["choices"] != other["choices"]
    assert other["generation_settings"]["lora"] == [{"id": 0, "scale": 1.0}]
    message = {**asked, "max_tokens": 16, "temperature": 0}
    before = server.post("/v1/messages", message).json()["content"]
    server.post("/lora-adapters", [{"id": 0, "scale": 1.0}])
    assert server.post("/v1/messages", message).json()["content"] != before


def test_many_at_once_each_with_its_own(server: Running) -> None:
    for seed in (31, 32):
        put(server, file=f"voice{seed}.gguf")
    sets: list[list[dict[str, float]]] = [
        [],
        [{"id": 0, "scale": 1.0}],
        [{"id": 1, "scale": 1.0}],
        [{"id": 0, "scale": 0.5}, {"id": 1, "scale": -0.5}],
    ]
    alone = [text(server, lora=one, cache_prompt=False) for one in sets]
    with ThreadPoolExecutor(12) as several:
        asked = [several.submit(text, server, lora=one) for one in sets * 3]
        together = [one.result() for one in asked]
    assert together == alone * 3


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"file": "none.gguf"}, "file"),
        ({"file": "../adapters/voice31.gguf"}, "file"),
        ({"file": "/etc/passwd"}, "file"),
        ({"file": "model.gguf"}, "file"),
        ({"file": 1}, "file"),
        ({}, "file"),
        ({"file": "voice31.gguf", "scale": 1e9}, "scale"),
    ],
)
def test_what_cannot_be_loaded_names_its_field(
    server: Running, fields: dict[str, object], param: str
) -> None:
    answer = server.client.put("/lora-adapters", json=fields)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
    assert server.get("/lora-adapters").json() == []


def test_two_of_one_name_are_refused(server: Running) -> None:
    put(server, file="voice31.gguf")
    answer = server.client.put("/lora-adapters", json={"file": "voice31.gguf"})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "name"


def test_from_the_command_line(path: Path, home: Path) -> None:
    files = (f"{home}/adapters/voice31.gguf,{home}/adapters/voice32.gguf:0.5",)
    settings = Settings(model=str(path), parallel=2, ctx_size=256, threads=1, lora=files)
    with running(settings) as server:
        scales = [one["scale"] for one in server.get("/lora-adapters").json()]
        assert scales == [1.0, 0.5]
        asked = [{"id": 0, "scale": 1.0}, {"id": 1, "scale": 0.5}]
        assert text(server) == text(server, lora=asked) != text(server, lora=[])


def test_a_flag_has_a_file_and_perhaps_a_scale() -> None:
    assert read_adapter_flag("a.gguf") == ("a.gguf", 1.0)
    assert read_adapter_flag("a.gguf:0.5") == ("a.gguf", 0.5)
    assert read_adapter_flag("C:/a.gguf") == ("C:/a.gguf", 1.0)
    assert read_adapter_flag("C:/a.gguf:-1") == ("C:/a.gguf", -1.0)
