"""Prefixes of several servers, one spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jan_server.paths import canonical


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/models", "/v1/models"),
        ("/api/v1/models", "/v1/models"),
        ("/llm/v1/chat/completions", "/v1/chat/completions"),
        ("/llm/auth/guest-login", "/auth/guest-login"),
        ("/v1/auth/refresh", "/auth/refresh"),
        ("/api/v1/auth/refresh", "/auth/refresh"),
        ("/responses/v1/responses", "/v1/responses"),
        ("/response/v1/responses", "/v1/responses"),
        ("/media/v1/media", "/v1/media"),
        ("/mcp", "/v1/mcp"),
        ("/mcp/v1/mcp/tools", "/v1/mcp/tools"),
        ("/mcp/healthz", "/healthz/mcp"),
        ("/media/healthz", "/healthz/media"),
        ("/llm/healthz", "/healthz"),
        ("/extras/tokenize", "/extras/tokenize"),
        ("/v1/extras/tokenize", "/extras/tokenize"),
        ("/api/v1/extras/tokenize", "/extras/tokenize"),
        ("/v1/chat/completion", "/v1/chat/completions"),
        ("/threads/abc/", "/threads/abc"),
        ("/v1/models/", "/v1/models"),
        ("/", "/"),
        ("//", "/"),
        ("/responses", "/responses"),
        ("/v1authors", "/v1authors"),
        ("/api/v1x", "/api/v1x"),
    ],
)
def test_a_prefix_is_rewritten(path: str, expected: str) -> None:
    assert canonical(path) == expected


@given(st.lists(st.sampled_from(["v1", "api", "llm", "mcp", "auth", "extras", "x", ""])))
def test_the_canonical_path_stays_a_path(parts: list[str]) -> None:
    assert canonical("/" + "/".join(parts)).startswith("/")
