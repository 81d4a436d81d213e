"""What the OpenAPI document says of the API as a whole."""

from __future__ import annotations

from typing import Any

__all__ = ["INFO", "SERVERS", "TAGS"]

INFO: dict[str, Any] = {
    "title": "👋Jan API",
    "description": "OpenAI-compatible API for local inference with Jan. Run AI models locally with "
    "complete privacy using llama.cpp's high-performance inference engine. Supports GGUF models "
    "with CPU and GPU acceleration. No authentication required for local usage.",
    "contact": {
        "name": "Jan Support",
        "url": "https://jan.ai/support",
        "email": "support@jan.ai",
    },
    "license": {
        "name": "Apache 2.0",
        "url": "https://github.com/janhq/jan/blob/main/LICENSE",
    },
}

SERVERS: list[dict[str, str]] = [
    {"url": "/", "description": "The server that this document comes from"},
    {"url": "http://127.0.0.1:1337", "description": "Local Jan Server (Default IP)"},
    {"url": "http://localhost:1337", "description": "Local Jan Server (localhost)"},
    {"url": "http://localhost:8080", "description": "Local Jan Server (Alternative Port)"},
]

TAGS = {  # in the order in which the page shows them; others follow
    "Models": "List and describe available models",
    "Chat": "Chat completion endpoints for conversational AI",
    "Completions": "Text completion endpoints for generating text",
    "Messages": "Anthropic's messages API",
    "Embeddings": "Vectors of texts, and documents ranked by a query",
    "Extras": "Additional utility endpoints for tokenization and text processing",
    "Health": "Whether the server lives and answers, and what it counts",
    "Docs": "This document",
    "Playground": "The page to talk to a model",
}
