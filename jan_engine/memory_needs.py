"""How much memory a model takes, from its headers: weights of every part, KV cache, a pass."""

from __future__ import annotations

from collections.abc import Sequence

from jan_engine.gguf import Header
from jan_engine.tensor_types import bytes_per_number
from jan_engine.weights import weights_of

__all__ = ["cache_bytes_per_token", "cached_numbers", "longest_context", "needed_bytes"]

_WORK_BYTES = 64 * 1024 * 1024  # of the buffers of a forward pass, about
_GRANULARITY = 256  # tokens; csrc/cache_plan.cpp rounds a context up to it
# What a layer writes into the KV cache for a token is as long as these weights have rows. Where
# other matrices make keys and values, the metadata have to say.
_PROJECTIONS = (".attn_k.weight", ".attn_v.weight")


def cached_numbers(headers: Sequence[Header]) -> int:
    """Numbers that one token leaves in the KV cache, over all layers of all parts; 0 where neither
    tensors nor metadata say.
    """
    tables = [
        tensor
        for header in headers
        for tensor in header.tensors
        if tensor.name.endswith(_PROJECTIONS) and len(tensor.shape) > 1
    ]
    found = sum(table.shape[1] for table in tables) or _by_metadata(headers[0])
    return min(found, 2**31 - 1)


def cache_bytes_per_token(headers: Sequence[Header], cache_type: str) -> float:
    """With keys and values stored as `cache_type`, such as "q8_0"."""
    return cached_numbers(headers) * bytes_per_number(cache_type)


def needed_bytes(
    headers: Sequence[Header], *, n_ctx: int, n_parallel: int, cache_type: str, n_cells: int = 0
) -> int:
    """The weights of every part, the cache at its largest, and room to compute in.

    `n_ctx`: tokens of the longest request, 0 for as many as the model was trained for; at most that
    many count. `n_cells`: tokens that the cache is known to hold, in place of `n_ctx` for each of
    `n_parallel` requests.
    """
    n_each = longest_context(headers, n_ctx)
    cache = cache_bytes_per_token(headers, cache_type) * (n_cells or n_each * n_parallel)
    return weights_of(headers).n_bytes + int(cache) + _WORK_BYTES


def longest_context(headers: Sequence[Header], n_ctx: int) -> int:
    """Tokens that the KV cache holds for one request; `n_ctx` as `needed_bytes` has it."""
    n_trained = _number(headers[0], "context_length")
    longest = min(n_ctx, n_trained) if n_ctx and n_trained else n_ctx or n_trained
    return -(-longest // _GRANULARITY) * _GRANULARITY


def _by_metadata(header: Header) -> int:
    """Every layer alike."""
    n_head = _number(header, "attention.head_count")
    if not n_head:
        return 0  # nothing attends
    n_each = _number(header, "embedding_length") // n_head
    n_key = _number(header, "attention.key_length") or n_each
    n_value = _number(header, "attention.value_length") or n_each
    n_kv = _number(header, "attention.head_count_kv") or n_head
    return _number(header, "block_count") * n_kv * (n_key + n_value)


def _number(header: Header, name: str) -> int:
    """Of the model's architecture; 0 for what it does not say, or not in one number."""
    architecture = header.metadata.get("general.architecture")
    value = header.metadata.get(f"{architecture}.{name}", 0)
    return value if isinstance(value, int) and 0 <= value < 2**31 else 0
