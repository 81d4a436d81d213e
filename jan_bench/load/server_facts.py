"""What a server tells of itself under /props, as ours and llama-server do: slots, threads."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from jan_bench.load.endpoint import Endpoint
from jan_bench.load.one_request import ask

__all__ = ["server_facts"]

_LONGEST = 200  # characters of a text; templates are longer, and decide no figure


def server_facts(endpoint: Endpoint) -> dict[str, Any]:
    """Nothing where it does not tell."""
    try:
        told = msgspec.json.decode(ask(endpoint, "/props") or b"{}")
    except msgspec.MsgspecError:
        return {}
    return _short(cast("dict[str, Any]", told)) if isinstance(told, dict) else {}


def _short(told: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in told.items():
        if isinstance(value, dict):
            kept[name] = _short(cast("dict[str, Any]", value))
        elif not isinstance(value, str) or len(value) <= _LONGEST:
            kept[name] = value
    return kept
