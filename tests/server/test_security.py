"""Keys, hosts, origins and sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jan_server.app import create_routes, routes_of
from jan_server.config import Settings
from jan_server.inference.pool import Pool
from jan_server.security.browser import BrowserGuard

from tests.server.running import Running, running

PUBLIC = {
    *("/", "/health", "/healthz", "/healthz/x", "/healthcheck", "/readyz", "/v1/version"),
    *("/openapi.json", "/api/swagger/index.html", "/api/swagger/doc.json", "/api/swagger/x"),
    "/api/swagger",
    "/playground/x",  # the page asks for the key
}
# In a server with nothing to serve: routes are the same.
ROUTES = [
    (route.method, re.sub(r"\{.*?\}", "x", route.path))
    for route in routes_of(create_routes(Pool(Settings(model="m"))))
]
PROTECTED = [(method, path) for method, path in ROUTES if path not in PUBLIC]


@pytest.fixture(scope="module")
def guarded(alphabet_path: Path) -> Iterator[Running]:
    settings = Settings(
        model=str(alphabet_path),
        threads=1,
        api_key=("first-key", "second-key"),
        cors_origin=("https://app.example",),
        max_body_mb=1,
    )
    with running(settings) as server:
        yield server


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_nothing_but_health_answers_without_a_key(guarded: Running, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": "Bearer wrong"}):
        answer = guarded.client.request(method, path, headers=headers)
        assert answer.status_code == 401
        theirs = path.startswith("/v1/messages")  # Anthropic's clients know another word
        kind = "authentication_error" if theirs else "auth_error"
        assert answer.json()["error"]["type"] == kind
        assert answer.headers["www-authenticate"] == "Bearer"
    assert guarded.client.request(method, "/api/v1" + path).status_code == 401


def test_a_path_nobody_knows_says_nothing_without_a_key(guarded: Running) -> None:
    assert guarded.get("/nothing/here").status_code == 401


def test_the_list_of_routes_is_not_empty() -> None:
    assert ("POST", "/v1/completions") in PROTECTED


@pytest.mark.parametrize("path", sorted(PUBLIC))
def test_health_needs_no_key(guarded: Running, path: str) -> None:
    assert guarded.get(path).status_code in {200, 308, 404}  # x is no asset


def test_every_way_to_show_a_key_works(guarded: Running) -> None:
    for headers in (
        {"Authorization": "Bearer first-key"},
        {"Authorization": "bearer second-key"},
        {"X-API-Key": "first-key"},
        {"Authorization": "Bearer placeholder", "X-API-Key": "second-key"},
    ):
        answer = guarded.get("/v1/models", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["x-auth-method"] == "api_key"


def test_without_keys_placeholders_are_ignored_and_own_keys_are_not(
    alphabet_server: Running,
) -> None:
    for shown in ("Bearer", "Bearer sk-placeholder", "Bearer not-needed"):
        answer = alphabet_server.get("/v1/models", headers={"Authorization": shown})
        assert (answer.status_code, answer.headers["x-auth-method"]) == (200, "none")
    refused = alphabet_server.get("/v1/models", headers={"X-API-Key": "sk_unknown"})
    assert refused.status_code == 401


def test_a_foreign_host_or_origin_is_turned_away(alphabet_server: Running) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        answer = alphabet_server.get("/v1/models", headers=headers)
        assert answer.status_code == 403
        assert answer.json()["error"]["type"] == "permission_error"
    for headers in (
        {"Host": "localhost:1337"},
        {"Host": "[::1]:1337"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "tauri://localhost"},
    ):
        assert alphabet_server.get("/v1/models", headers=headers).status_code == 200


def test_a_named_origin_may_call_and_read(guarded: Running) -> None:
    origin = {"Origin": "https://app.example"}
    asked = {"Access-Control-Request-Method": "POST"}
    preflight = guarded.client.options("/v1/completions", headers=origin | asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    assert "X-API-Key" in preflight.headers["access-control-allow-headers"]
    answer = guarded.get("/v1/models", headers=origin | {"X-API-Key": "first-key"})
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


def test_behind_an_address_of_the_network_any_name_will_do() -> None:
    open_to_all = BrowserGuard(Settings(model="m", host="0.0.0.0", api_key=("k",)))
    assert open_to_all.check({b"host": b"gpu-box.lan:1337"}) == {}
    named = BrowserGuard(Settings(model="m", host="0.0.0.0", trusted_host=("gpu-box.lan",)))
    assert named.check({b"host": b"gpu-box.lan:1337"}) == {}


def test_a_body_that_is_too_large_is_refused(guarded: Running) -> None:
    answer = guarded.client.post(
        "/extras/tokenize", content=b" " * (1 << 20) + b"{}", headers={"X-API-Key": "first-key"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


def test_a_request_id_is_kept_if_it_can_be_and_made_otherwise(alphabet_server: Running) -> None:
    kept = alphabet_server.get("/nothing", headers={"X-Request-Id": "mine-1"})
    assert kept.headers["x-request-id"] == kept.json()["error"]["request_id"] == "mine-1"
    for unusable in ("x" * 500, ""):
        made = alphabet_server.get("/v1/models", headers={"X-Request-Id": unusable})
        assert made.headers["x-request-id"].startswith("req_")


def test_a_wrong_method_says_which_is_right(alphabet_server: Running) -> None:
    answer = alphabet_server.get("/v1/completions")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]
