"""Ids with a prefix that says of what. Random, so that no one guesses another's."""

from __future__ import annotations

import secrets

__all__ = ["new_id"]


def new_id(prefix: str) -> str:
    return f"{prefix}{secrets.token_hex(12)}"
