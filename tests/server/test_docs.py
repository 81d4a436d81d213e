"""The API's description is whole, and its page needs no network."""

from __future__ import annotations

import re
from typing import Any

from jan_server.app import create_routes, routes_of
from jan_server.config import Settings
from jan_server.inference.pool import Pool

from tests.server.running import Running


def test_the_document_has_every_route_and_every_reference_leads_somewhere(
    alphabet_server: Running,
) -> None:
    document: dict[str, Any] = alphabet_server.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    described = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }
    routes = routes_of(create_routes(Pool(Settings(model="m"))))
    named = {
        (route.method, re.sub(r":\w+\}", "}", path))
        for route in routes
        for path in route.facts.paths or (route.path,)
    }
    assert described == named
    assert ("POST", "/v1/completions") in named
    schemas = document["components"]["schemas"]
    text = alphabet_server.get("/openapi.json").text
    assert set(re.findall(r'"#/components/schemas/(\w+)"', text)) <= set(schemas)
    asked = schemas["CompletionRequest"]["properties"]
    assert {"prompt", "temperature", "dry_multiplier", "logit_bias"} <= set(asked)


def test_operation_ids_are_unique(alphabet_server: Running) -> None:
    document: dict[str, Any] = alphabet_server.get("/api/swagger/doc.json").json()
    ids = [
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
    ]
    assert len(ids) == len(set(ids))


def test_the_page_loads_only_from_here(alphabet_server: Running) -> None:
    page = alphabet_server.get("/api/swagger/index.html")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "http" not in page.text.replace("http-equiv", "")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert "swagger-ui-bundle.js" in loaded
    for name in loaded:
        asset = alphabet_server.get(f"/api/swagger/{name}")
        assert asset.status_code == 200
        assert len(asset.content) > 50
    assert alphabet_server.get("/api/swagger/..%2f..%2fapp.py").status_code == 404


def test_the_page_is_found_by_its_folder(alphabet_server: Running) -> None:
    for path in ("/api/swagger", "/api/swagger/"):
        answer = alphabet_server.get(path, follow_redirects=True)
        assert answer.url.path == "/api/swagger/index.html"
        assert answer.status_code == 200


def test_props_say_what_is_served(alphabet_server: Running) -> None:
    props: dict[str, Any] = alphabet_server.get("/props").json()
    assert props["model_alias"] == "alphabet"
    assert props["total_slots"] == 4
    told = props["default_generation_settings"]
    assert (told["n_ctx"], told["params"]["temperature"]) == (512, 0.8)
    facts = props["engine"]
    assert facts["n_threads"] >= 1
    assert 0 <= facts["n_decode_workers"] <= facts["n_threads"]
    assert 0 <= facts["n_prefill_workers"] <= facts["n_threads"]
    assert facts["flash_attention"] in {True, False}
    assert facts["cache_type"] == "f16"
    assert (props["bos_token"], props["eos_token"]) == ("<s>", "</s>")


def test_slots_are_counted(endless_server: Running) -> None:
    def busy() -> list[bool]:
        return [slot["is_processing"] for slot in endless_server.get("/slots").json()]

    assert busy() == [False] * 4
    assert endless_server.get("/slots?fail_on_no_slot=1").status_code == 200
    body = {"model": "endless", "prompt": "a", "n": 4, "n_predict": -1, "stream": True}
    with endless_server.client.stream("POST", "/v1/completions", json=body):
        endless_server.until(lambda stats: stats["n_running"] == 4)
        assert busy() == [True] * 4
        full = endless_server.get("/slots?fail_on_no_slot=1")
        assert (full.status_code, full.json()["error"]["code"]) == (503, "server_overloaded")
