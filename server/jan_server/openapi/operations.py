"""What operations say in the OpenAPI document beside their summary: texts, examples, statuses.

The examples are requests that succeed as they stand: the document puts the id of a model that is
here in place of MODEL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["MODEL", "OPERATIONS", "PATH_PARAMETERS", "Example", "Operation"]

MODEL = "\x00model\x00"


class Example(msgspec.Struct, frozen=True):
    summary: str
    value: Any
    description: str = ""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    description: str = ""
    examples: Mapping[str, Example] = {}
    answer: Any = None  # an example of a whole answer
    statuses: Mapping[str, str] = {}  # beside 200 and what every route of its kind may answer


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


_MESSAGES = [_user("What is the capital of France?")]
_LATER = {"202": "Accepted - Request is being processed"}
_COUNT = {"tokens": [15339, 11, 1917, 0]}

PATH_PARAMETERS = {
    "model_id": MODEL,
    "catalog_id": MODEL,
    "service": "llm",
    "adapter": "0",
    "asset": "swagger-ui.css",
}

OPERATIONS: dict[str, Operation] = {
    "create_completion": Operation(
        description="Creates a completion for the provided prompt and parameters. This endpoint is "
        "compatible with OpenAI's completions API.",
        statuses=_LATER,
        examples={
            "basic": Example(
                "Basic Completion",
                {
                    "model": MODEL,
                    "prompt": "Once upon a time",
                    "max_tokens": 50,
                    "temperature": 0.7,
                },
                "Simple text completion example",
            ),
            "creative": Example(
                "Creative Writing",
                {
                    "model": MODEL,
                    "prompt": "Write a short poem about coding:",
                    "max_tokens": 150,
                    "temperature": 1,
                    "top_p": 0.95,
                },
                "Generate creative content with higher temperature",
            ),
            "code": Example(
                "Code Generation",
                {
                    "model": MODEL,
                    "prompt": "# Python function to calculate fibonacci\ndef fibonacci(n):",
                    "max_tokens": 200,
                    "temperature": 0.3,
                    "stop": ["\n\n", "def ", "class "],
                },
                "Generate code with lower temperature for accuracy",
            ),
            "streaming": Example(
                "Streaming Response",
                {
                    "model": MODEL,
                    "prompt": "Explain quantum computing in simple terms:",
                    "max_tokens": 300,
                    "temperature": 0.7,
                    "stream": True,
                },
                "Stream tokens as they are generated",
            ),
        },
    ),
    "create_chat_completion": Operation(
        description="Creates a model response for the given chat conversation. This endpoint is "
        "compatible with OpenAI's chat completions API.",
        statuses=_LATER,
        examples={
            "simple": Example(
                "Simple Chat",
                {"model": MODEL, "messages": _MESSAGES, "max_tokens": 100, "temperature": 0.7},
                "Basic question and answer",
            ),
            "system": Example(
                "With System Message",
                {
                    "model": MODEL,
                    "messages": [
                        {
                            "role": "system",
                            "content": "You are a helpful assistant that speaks like a pirate.",
                        },
                        _user("Tell me about the weather today."),
                    ],
                    "max_tokens": 150,
                    "temperature": 0.8,
                },
                "Chat with system instructions",
            ),
            "conversation": Example(
                "Multi-turn Conversation",
                {
                    "model": MODEL,
                    "messages": [
                        {"role": "system", "content": "You are a knowledgeable AI assistant."},
                        _user("What is machine learning?"),
                        {
                            "role": "assistant",
                            "content": "Machine learning is a subset of artificial intelligence "
                            "that enables systems to learn and improve from experience without "
                            "being explicitly programmed.",
                        },
                        _user("Can you give me a simple example?"),
                    ],
                    "max_tokens": 200,
                    "temperature": 0.7,
                },
                "Extended conversation with context",
            ),
            "streaming": Example(
                "Streaming Chat",
                {
                    "model": MODEL,
                    "messages": [_user("Write a haiku about programming")],
                    "stream": True,
                    "temperature": 0.9,
                },
                "Stream the response token by token",
            ),
            "json_mode": Example(
                "JSON Response",
                {
                    "model": MODEL,
                    "messages": [
                        _user(
                            "List 3 programming languages with their main use cases in JSON format"
                        )
                    ],
                    "max_tokens": 200,
                    "temperature": 0.5,
                    "response_format": {"type": "json_object"},
                },
                "Request structured JSON output",
            ),
        },
    ),
    "create_message": Operation(
        description="Anthropic's messages API, whole or as its events.",
        examples={
            "simple": Example(
                "A message", {"model": MODEL, "max_tokens": 100, "messages": _MESSAGES}
            ),
        },
    ),
    "count_message_tokens": Operation(
        examples={"simple": Example("A conversation", {"model": MODEL, "messages": _MESSAGES})},
    ),
    "create_embedding": Operation(
        description="Vectors of texts. This endpoint is compatible with OpenAI's embeddings API.",
        examples={
            "one": Example("One text", {"model": MODEL, "input": "Hello, world!"}),
            "several": Example("Several texts", {"model": MODEL, "input": ["one", "another"]}),
        },
    ),
    "rerank": Operation(
        description="Documents by how well they answer a query, for models that rank.",
        examples={
            "two": Example(
                "Two documents",
                {
                    "model": MODEL,
                    "query": "What is the capital of France?",
                    "documents": ["Paris is the capital of France.", "Bread is made of flour."],
                },
            ),
        },
    ),
    "tokenize": Operation(
        description="Convert text input into tokens using the model's tokenizer.",
        examples={"hello": Example("A text", {"input": "Hello, world!", "model": MODEL})},
        answer=_COUNT,
    ),
    "count_tokens": Operation(
        description="Count the number of tokens in the provided text.",
        examples={
            "hello": Example(
                "A text", {"input": "How many tokens does this text have?", "model": MODEL}
            )
        },
        answer={"count": 8},
    ),
    "detokenize": Operation(
        examples={"few": Example("Three tokens", {"tokens": [10, 11, 12], "model": MODEL})},
    ),
    "tokens_of_text": Operation(
        description="llama-server's form with `content`, vLLM's with `prompt` or `messages`.",
        examples={
            "content": Example("llama-server's", {"content": "Hello, world!"}),
            "prompt": Example("vLLM's", {"prompt": "Hello, world!", "model": MODEL}),
        },
    ),
    "text_of_tokens": Operation(
        examples={"few": Example("Three tokens", {"tokens": [10, 11, 12]})}
    ),
    "create_native_completion": Operation(
        description="llama-server's own completion.",
        examples={
            "basic": Example("A story", {"prompt": "Once upon a time", "n_predict": 50}),
        },
    ),
    "infill": Operation(
        description="The text of a gap, for models that are trained for it.",
        examples={
            "gap": Example(
                "A function's body",
                {"input_prefix": "def one():\n", "input_suffix": "\n", "n_predict": 16},
            ),
        },
    ),
    "apply_template": Operation(
        description="The prompt that the conversation becomes.",
        examples={"simple": Example("A conversation", {"messages": _MESSAGES})},
    ),
    "count_chat_tokens": Operation(
        examples={"simple": Example("A conversation", {"model": MODEL, "messages": _MESSAGES})},
    ),
    "create_native_embedding": Operation(
        description="llama-server's own vectors.",
        examples={"one": Example("One text", {"content": "Hello, world!"})},
    ),
    "list_models": Operation(
        description="Lists the currently available models and provides basic information about "
        "each one such as the owner and availability.",
    ),
    "download_model": Operation(
        examples={
            "hub": Example(
                "From a hub",
                {"source_url": "hf:bartowski/SmolLM2-135M-Instruct-GGUF:Q4_K_M", "id": "smollm2"},
            ),
            "address": Example(
                "From an address",
                {"source_url": "https://example.com/model.gguf", "sha256": "0" * 64},
            ),
        },
        statuses={
            "409": "The model is here with another digest",
            "502": "Where the model was to come from failed",
            "507": "The disk is full",
        },
    ),
    "change_model": Operation(
        examples={"plain": Example("As the server's settings say", {})},
        statuses={"409": "The model is in use, or being loaded"},
    ),
    "change_model_by_post": Operation(
        examples={"plain": Example("As the server's settings say", {})},
        statuses={"409": "The model is in use, or being loaded"},
    ),
    "delete_model": Operation(statuses={"409": "The model is in use; `force` ends its requests"}),
    "load_adapter": Operation(
        examples={"file": Example("A file", {"file": "adapter.gguf", "scale": 1.0})},
    ),
    "set_scales": Operation(examples={"none": Example("No adapter acts", [])}),
}
