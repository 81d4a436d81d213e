"""The API's description says what each field means, and its examples succeed as they stand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jan_server.config import Settings
from jan_server.demo import DEMO_FILE, DEMO_ID

from tests.server.running import Running, running

Document = dict[str, Any]
SEED = json.loads(Path(__file__).with_name("seed_fields.json").read_text())
NOT_TRIED = {  # operations that need something that is not here, or would change what others use
    "download_model": "a hub",
    "load_adapter": "an adapter's file",
    "unload_adapter": "an adapter",
    "delete_model": "a model that nobody else uses",
    "rerank": "a model that ranks",
    "model_events": "an end",
    "infill": "a model that fills in the middle",
    "get_deferred_answer": "an answer that is waited for",
    "cancel_deferred_answer": "an answer that is waited for",
    "healthz_of_service": "a service that this server does not have",
    "swagger_asset": "nothing but the page",
    "asset": "nothing but the page",
}


@pytest.fixture(scope="module")
def demo_server() -> Iterator[Running]:
    with running(Settings(model=str(DEMO_FILE), parallel=2, threads=1, temperature=0.25)) as server:
        yield server


@pytest.fixture(scope="module")
def document(demo_server: Running) -> Document:
    found: Document = demo_server.get("/openapi.json").json()
    return found


def operations(document: Document) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def read_schemas(document: Document) -> dict[str, Any]:
    """Those that the bodies of requests lead to."""
    found: dict[str, Any] = {}
    schemas = document["components"]["schemas"]
    bodies = [one.get("requestBody", {}) for _, _, one in operations(document)]
    waiting = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(bodies)))
    while waiting:
        name = waiting.pop()
        found[name] = schemas[name]
        waiting |= set(re.findall(r"#/components/schemas/(\w+)", json.dumps(found[name])))
        waiting -= set(found)
    return found


def test_every_field_of_a_request_says_what_it_means(document: Document) -> None:
    silent = [
        f"{name}.{field}"
        for name, schema in read_schemas(document).items()
        for field, told in schema.get("properties", {}).items()
        if not told.get("description")
    ]
    assert not silent


def test_no_field_of_a_request_is_null_by_default(document: Document) -> None:
    for name, schema in read_schemas(document).items():
        for field, told in schema.get("properties", {}).items():
            assert told.get("default", 0) is not None, f"{name}.{field}"


def test_defaults_and_bounds_of_the_seed_are_there(document: Document) -> None:
    chat = document["components"]["schemas"]["ChatRequest"]["properties"]
    for name, default in SEED["defaults"].items():
        if name == "temperature":  # this server's own
            continue
        assert chat[name]["default"] == default, name
    assert set(SEED["fields"]) <= set(chat)
    for name, bounds in SEED["bounds"].items():
        assert {key: chat[name][key] for key in bounds} == bounds, name


def test_defaults_are_those_of_the_servers_flags(document: Document) -> None:
    for name in ("ChatRequest", "CompletionRequest"):
        fields = document["components"]["schemas"][name]["properties"]
        assert fields["temperature"]["default"] == 0.25


def test_the_seeds_information_and_examples_are_there(document: Document) -> None:
    info = document["info"]
    assert info["title"] == "👋Jan API"
    assert info["contact"]["email"] == "support@jan.ai"
    assert [tag["name"] for tag in document["tags"]][:3] == ["Models", "Chat", "Completions"]
    assert "http://127.0.0.1:1337" in [one["url"] for one in document["servers"]]
    for path, names in SEED["examples"].items():
        body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert set(names) <= set(body["examples"]), path


def test_queries_and_both_verbs_of_a_model_are_described(document: Document) -> None:
    paths = document["paths"]
    (loaded,) = paths["/v1/models"]["get"]["parameters"]
    assert (loaded["name"], loaded["in"]) == ("loaded", "query")
    assert loaded["schema"] == {"type": "boolean", "default": False}
    names = {one["name"] for one in paths["/v1/models/{model_id}"]["delete"]["parameters"]}
    assert names == {"model_id", "force"}
    for verb in ("start", "stop"):
        assert {"post", "put"} <= set(paths[f"/v1/models/{{model_id}}/{verb}"])


def test_what_can_go_wrong_is_described(document: Document) -> None:
    chat = document["paths"]["/v1/chat/completions"]["post"]["responses"]
    assert {"200", "400", "401", "404", "422", "503"} <= set(chat)
    pull = document["paths"]["/v1/models"]["post"]["responses"]
    assert {"409", "507"} <= set(pull)


def test_every_example_succeeds_as_it_stands(demo_server: Running, document: Document) -> None:
    n_tried = 0
    for method, path, operation in operations(document):
        if any(operation["operationId"].startswith(name) for name in NOT_TRIED):
            continue
        if operation["operationId"].endswith("_stop"):
            continue  # the others use that model
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        bodies = [one["value"] for one in content.get("examples", {}).values()]
        assert bodies or not content, f"{method} {path} has no example"
        for body in bodies or [None]:
            answer = demo_server.client.request(method, path, json=body, follow_redirects=True)
            assert answer.status_code == 200, f"{method} {path} {body}: {answer.text}"
            n_tried += 1
    assert n_tried > 30


def test_examples_name_no_model_where_a_key_is_needed() -> None:
    settings = Settings(model=str(DEMO_FILE), parallel=1, threads=1, api_key=("secret",))
    with running(settings) as server:
        text = server.get("/openapi.json").text
    assert DEMO_ID not in text
    chat = json.loads(text)["paths"]["/v1/chat/completions"]["post"]["requestBody"]
    assert "model" not in chat["content"]["application/json"]["examples"]["simple"]["value"]
