"""Ids with a prefix that says of what. Random, so that no one guesses another's."""

from __future__ import annotations

import secrets
from typing import Annotated

from msgspec import Meta

__all__ = ["ModelName", "new_id"]

ModelName = Annotated[str, Meta(max_length=256)]  # an answer repeats it


def new_id(prefix: str) -> str:
    return f"{prefix}{secrets.token_hex(12)}"
