"""What web pages may do, by the headers that browsers send."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jan_server.config import Settings
from jan_server.errors import ApiError
from jan_server.security.browser import BrowserGuard
from jan_server.security.principal import KeyRing

from tests.server.running import Running, running
from tests.server.several import loaded

GUARD = BrowserGuard(Settings(model="m"))
NETWORK = BrowserGuard(Settings(model="m", host="0.0.0.0", api_key=("k",)))
IMAGE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
FRAME = LINK | {"Sec-Fetch-Dest": "iframe"}


@pytest.fixture(scope="module")
def welcoming(alphabet_path: Path) -> Iterator[Running]:
    settings = Settings(
        model=str(alphabet_path), threads=1, cors_origin=("https://app.example",), api_key=("k",)
    )
    with running(settings) as server:
        yield server


def test_a_page_elsewhere_loads_no_model(several: Running) -> None:
    for headers in (IMAGE, FRAME, LINK):
        answer = several.get("/lora-adapters?model=one", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "untrusted_origin")
    assert loaded(several) == []


def test_a_page_elsewhere_may_have_links_to_what_is_for_everybody(
    alphabet_server: Running,
) -> None:
    for path in ("/", "/health", "/api/swagger/index.html", "/openapi.json"):
        assert alphabet_server.get(path, headers=LINK).status_code == 200
        for headers in (IMAGE, FRAME):
            assert alphabet_server.get(path, headers=headers).status_code == 403
    for site in ("same-origin", "same-site", "none"):
        own = {"Sec-Fetch-Site": site}
        assert alphabet_server.get("/v1/models", headers=own).status_code == 200


def test_a_welcome_origin_may_be_another_site(welcoming: Running) -> None:
    headers = {"Origin": "https://app.example", "X-API-Key": "k", "Sec-Fetch-Site": "cross-site"}
    answer = welcoming.get("/v1/models", headers=headers)
    assert answer.status_code == 200
    exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
    assert {"x-request-id", "request-id", "retry-after", "location"} <= set(exposed)


@pytest.mark.parametrize(
    "origin",
    [
        b"http://evil.com\\@127.0.0.1",
        b"http://evil.com@127.0.0.1",
        b"http://127.0.0.1.evil.com",
        b"http://127.0.0.1/evil.com",
        b"null",
        b"http://",
        b"localhost",
    ],
)
def test_what_only_looks_like_this_machine_is_none(origin: bytes) -> None:
    for guard in (GUARD, NETWORK):
        with pytest.raises(ApiError, match="origin"):
            guard.check({b"host": b"localhost", b"origin": origin})


@pytest.mark.parametrize(
    "host", [b"evil.com@localhost", b"localhost/", b"localhost:x", b"localhost:", b"", b"a b"]
)
def test_a_host_that_is_no_name_is_refused(host: bytes) -> None:
    for guard in (GUARD, NETWORK):
        with pytest.raises(ApiError, match="Host"):
            guard.check({b"host": host})


def test_names_and_addresses_of_this_machine_are_known() -> None:
    for host in (b"localhost", b"LOCALHOST:1", b"127.0.0.1:1337", b"[::1]:1337", b"[::1]"):
        assert GUARD.check({b"host": host}) == {}
    named = BrowserGuard(Settings(model="m", host="::", trusted_host=("fd00::7",)))
    assert named.check({b"host": b"[fd00::7]:80"}) == {}


def test_a_preflight_allows_the_names_it_asks_for(welcoming: Running) -> None:
    asked = "authorization,x-stainless-os,anthropic-dangerous-direct-browser-access"
    headers = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": asked,
        "Access-Control-Request-Private-Network": "true",
    }
    answer = welcoming.client.options("/v1/messages", headers=headers)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-headers"] == asked
    assert answer.headers["access-control-allow-private-network"] == "true"
    assert "POST" in answer.headers["access-control-allow-methods"]
    wrong = headers | {"Access-Control-Request-Headers": "a;b"}
    told = welcoming.client.options("/v1/messages", headers=wrong)
    assert "X-API-Key" in told.headers["access-control-allow-headers"]
    stranger = headers | {"Origin": "https://evil.example"}
    refused = welcoming.client.options("/v1/messages", headers=stranger)
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers


def test_a_key_is_the_same_in_both_spellings() -> None:
    key = "kéy-é"
    ring = KeyRing([key])
    for spelling in (key.encode(), key.encode("latin-1")):
        for headers in ({b"authorization": b"Bearer " + spelling}, {b"x-api-key": spelling}):
            assert ring.identify(headers) == ring.identify({b"x-api-key": key.encode()})
    with pytest.raises(ApiError):
        ring.identify({b"x-api-key": b"k\xe9y"})


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/", "/api/swagger/index.html"])
def test_a_head_is_told_as_by_get_and_has_no_body(alphabet_server: Running, path: str) -> None:
    read, told = alphabet_server.get(path), alphabet_server.client.head(path)
    assert (told.status_code, told.content) == (200, b"")
    for name in ("content-type", "content-length"):
        if name in read.headers and path != "/health":  # which has the time in it
            assert told.headers[name] == read.headers[name]
    assert alphabet_server.client.head("/v1/completions").status_code == 405
    assert alphabet_server.client.head("/nothing").status_code == 404


def test_a_head_of_an_endless_stream_ends(several: Running) -> None:
    told = several.client.head("/v1/models/events", timeout=10)
    assert told.status_code == 200
    assert told.headers["content-type"].startswith("text/event-stream")
    assert several.get("/health").status_code == 200
