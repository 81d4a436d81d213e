"""Prompts that are texts and tokens in one list, as llama-server takes them."""

from __future__ import annotations

from collections.abc import Sequence

from jan_server.errors import ApiError
from jan_server.inference.served_model import ServedModel

__all__ = ["mixed_tokens"]


async def mixed_tokens(
    given: Sequence[str | int],
    served: ServedModel,
    *,
    add_special: bool,
    parse_special: bool,
) -> list[int]:
    """Only a text that comes first gets the tokens that the model puts before one. Raises 400 for a
    token outside the vocabulary.
    """
    tokens: list[int] = []
    n_tokens = served.model.vocab.n_tokens
    for place, part in enumerate(given):
        if isinstance(part, str):
            first = add_special and place == 0
            tokens += await served.tokenize(part, add_special=first, parse_special=parse_special)
        elif 0 <= part < n_tokens:
            tokens.append(part)
        else:
            message = f"token {part} is outside the vocabulary"
            raise ApiError(400, "invalid_parameter", message)
    return tokens
