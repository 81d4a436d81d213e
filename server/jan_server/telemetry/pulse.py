"""A line about the engine every few seconds while it has work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

__all__ = ["tell_pulse"]

_log = logging.getLogger("jan_server.engine")


async def tell_pulse(read: Callable[[], dict[str, Any] | None], every_s: float) -> None:
    """Until cancelled. `read` gives the engine's statistics, or None while there is no engine."""
    before: dict[str, Any] | None = None
    while True:
        await asyncio.sleep(every_s)
        now = read()
        if now is not None and before is not None:
            _tell(before, now, every_s)
        before = now


def _tell(before: dict[str, Any], now: dict[str, Any], seconds: float) -> None:
    def rate(key: str) -> float:
        return float((now[key] - before[key]) / seconds)

    if now["n_steps"] <= before["n_steps"]:  # fewer: of another engine
        return
    fields = {
        "running": now["n_running"],
        "waiting": now["n_waiting"],
        "prompt_tokens_per_s": round(rate("n_prompt_tokens"), 1),
        "cached_tokens_per_s": round(rate("n_cached_tokens"), 1),
        "decode_rows_per_s": round(rate("n_decode_rows"), 1),
        "busy": round(rate("busy_s"), 2),
        "decode_workers": now["n_decode_workers"],
        "prefill_workers": now["n_prefill_workers"],
    }
    _log.info(
        "%d running, %d waiting; per second %.0f prompt tokens, %.0f of them cached, "
        "and %.0f decoded; busy %.0f %%, %d threads decode and %d read prompts",
        fields["running"],
        fields["waiting"],
        fields["prompt_tokens_per_s"] + fields["cached_tokens_per_s"],
        fields["cached_tokens_per_s"],
        fields["decode_rows_per_s"],
        fields["busy"] * 100,
        fields["decode_workers"],
        fields["prefill_workers"],
        extra={"fields": fields},
    )
