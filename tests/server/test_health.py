"""Paths that say whether the server lives, and whether it can answer."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from jan_server.config import Settings
from jan_server.inference.served_model import ServedModel

from jan_engine import AsyncEngine, Model
from tests.server.running import Running, running

LOADING = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", {"status": "ok", "service": "jan-engine"}),
        ("/healthz", {"status": "ok"}),
        ("/v1/healthz", {"status": "ok"}),
        ("/llm/healthz", {"status": "ok"}),
        ("/livez", {"status": "ok"}),
        ("/readyz", {"status": "ready"}),
        ("/v1/readyz", {"status": "ready"}),
    ],
)
def test_a_probe_is_answered(alphabet_server: Running, path: str, expected: dict[str, str]) -> None:
    answer = alphabet_server.get(path)
    assert (answer.status_code, answer.json()) == (200, expected)


def test_no_service_is_healthy_that_is_not_there(alphabet_server: Running) -> None:
    for prefix, service in (("mcp", "mcp-tools"), ("media", "media"), ("responses", "responses")):
        answer = alphabet_server.get(f"/{prefix}/healthz")
        told = {"status": "not_configured", "service": service}
        assert (answer.status_code, answer.json()) == (503, told)
    assert alphabet_server.get("/healthz/anything").status_code == 404


def test_with_several_models_none_is_waited_for(several: Running) -> None:
    assert several.get("/health").status_code == 200


def test_health_and_status_have_exactly_the_documented_keys(alphabet_server: Running) -> None:
    health = alphabet_server.get("/health").json()
    assert set(health) == {"status", "timestamp"}
    assert health["status"] == "ok"
    assert health["timestamp"].endswith("Z")
    status = alphabet_server.get("/api/v1/status").json()
    assert set(status) == {"api_gateway", "inference_model", "database", "external_apis"}
    assert set(status["external_apis"]) == {"serper"}
    assert status["inference_model"] == "healthy"
    assert alphabet_server.get("/healthcheck").text == "ok"
    assert set(alphabet_server.get("/v1/version").json()) >= {"version", "env_reloaded_at"}


def test_while_the_model_loads_only_the_process_is_healthy(
    alphabet_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_load = threading.Event()
    load = ServedModel._open  # pyright: ignore[reportPrivateUsage]

    def wait_and_load(served: ServedModel) -> tuple[Model, AsyncEngine | None]:
        assert may_load.wait(60)
        return load(served)

    monkeypatch.setattr(ServedModel, "_open", wait_and_load)
    with running(Settings(model=str(alphabet_path), threads=1), wait=False) as server:
        try:
            for path in ("/healthz", "/livez", "/healthcheck"):
                assert server.get(path).status_code == 200
            for path in ("/health", "/v1/health", "/api/v1/health"):
                loading = server.get(path)
                assert (loading.status_code, loading.json()) == (503, LOADING)
            not_ready = server.get("/readyz")
            assert (not_ready.status_code, not_ready.json()) == (503, {"status": "not_ready"})
            refused = server.post("/v1/completions", {"model": "alphabet", "prompt": "a"})
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "model_not_ready"
            assert int(refused.headers["retry-after"]) >= 1
        finally:
            may_load.set()
