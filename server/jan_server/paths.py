"""One spelling for every path. Clients of several servers come with prefixes of their own."""

from __future__ import annotations

__all__ = ["canonical"]

_PREFIXES = (  # the first that fits; longer ones before those they begin with
    ("/api/v1/auth", "/auth"),
    ("/v1/auth", "/auth"),
    ("/api/v1", "/v1"),
    ("/v1/extras", "/extras"),
    ("/responses/v1", "/v1"),
    ("/response/v1", "/v1"),
    ("/media/v1", "/v1"),
    ("/mcp/v1", "/v1"),
    ("/llm/v1", "/v1"),
    ("/llm/auth", "/auth"),
)
_WHOLE = {
    "/mcp": "/v1/mcp",
    "/llm": "/",
    "/v1/chat/completion": "/v1/chat/completions",
    "/chat/completions": "/v1/chat/completions",
    "/chat/completions/input_tokens": "/v1/chat/completions/input_tokens",
    "/completions": "/completion",
    "/embeddings": "/embedding",
    "/models": "/v1/models",
    "/rerank": "/v1/rerank",
    "/reranking": "/v1/rerank",
    "/v1/reranking": "/v1/rerank",
    "/livez": "/healthz",
    "/v1/health": "/health",
    "/v1/healthz": "/healthz",
    "/v1/readyz": "/readyz",
    "/responses/healthz": "/healthz/responses",
    "/media/healthz": "/healthz/media",
    "/mcp/healthz": "/healthz/mcp",
}


def canonical(path: str) -> str:
    """The path a handler is registered under."""
    if len(path) > 1 and path.endswith("/"):
        path = path.rstrip("/") or "/"
    if path.startswith("/llm/"):
        path = path[4:]
    for _ in range(2):  # a prefix may hide another: /api/v1/extras
        for prefix, replacement in _PREFIXES:
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
                path = replacement + path[len(prefix) :]
                break
        else:
            break
    return _WHOLE.get(path, path)
