"""How many tokens a model that runs gives an agent, and more of them where it knows them."""

from __future__ import annotations

from typing import Any

from jan_server.cli.live import Live, Refused
from jan_server.cli.say import say

__all__ = ["AGENT_TOKENS", "context_for_agent"]

AGENT_TOKENS = 65536  # an agent's first prompt alone is some 25,000


def context_for_agent(live: Live, client: str, model: dict[str, Any]) -> int:
    """Tokens of the longest request, once the model is in memory. Loads it anew with a longer
    context where the server's is too short and nobody has it; says so where it stays too short.
    `model` is an item of /v1/models. Raises NoServer, and Refused for one that does not load.
    """
    name, n_known = str(model["id"]), int(model["ctx_len"])
    n_wanted = min(AGENT_TOKENS, n_known)
    if int(model["max_tokens"]) < n_wanted and not _is_held(model):
        say(f"loading {name} with a context of {n_wanted} tokens for {client}")
        live.ask("POST", f"/v1/models/{name}/start", {"ctx_len": n_wanted})
    n_ctx = _in_force(live, name, int(model["max_tokens"]))
    if n_ctx < AGENT_TOKENS:
        why = (
            f"{name} was trained with {n_known}"
            if n_known < AGENT_TOKENS
            else "another request has the model, or memory holds no more; start the server with "
            f"--ctx-size {AGENT_TOKENS}"
        )
        say(f"warning: {client} needs {AGENT_TOKENS} tokens and has {n_ctx}: {why}")
    return n_ctx


def _is_held(model: dict[str, Any]) -> bool:
    return bool(model.get("metadata", {}).get("requests", "0") != "0")


def _in_force(live: Live, name: str, otherwise: int) -> int:
    """What the engine settled: memory may hold fewer tokens than were wanted."""
    try:
        counted = live.ask("POST", "/tokenize", {"model": name, "prompt": "a"})
    except Refused as refused:
        if refused.status == 404:  # an older server
            return otherwise
        raise
    return int(counted["max_model_len"])
