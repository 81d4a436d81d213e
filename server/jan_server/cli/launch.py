"""`jan launch CLIENT`: a program that others wrote, told to ask this server."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping

from jan_server.cli.agent_context import context_for_agent
from jan_server.cli.live import NoServer, Refused, add_live_flags, live_of
from jan_server.cli.say import say

__all__ = ["run"]

_WINDOW = ("CLAUDE_CODE_AUTO_COMPACT_WINDOW", "CLAUDE_CODE_MAX_CONTEXT_TOKENS")
_NO_KEY = "jan"  # clients insist on one; a server without keys takes any
Launch = tuple[dict[str, str], list[str]]  # variables, and arguments before the person's own


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="jan launch",
        description="Start a client that asks the running server. Any other program is started "
        "with OPENAI_BASE_URL, ANTHROPIC_BASE_URL and their keys set. What follows -- is its own. "
        "For a known client the model is loaded with a context of 65536 tokens, or as many as it "
        "knows.",
        epilog="Known clients: " + ", ".join(sorted(_CLIENTS)),
    )
    parser.add_argument("client", help="claude, opencode, aider, or a program")
    parser.add_argument("--model", help="the model it asks; without, the only or first one")
    parser.add_argument(
        "--print", action="store_true", dest="only_print", help="the variables, for a shell to read"
    )
    add_live_flags(parser)
    ours = arguments.index("--") if "--" in arguments else len(arguments)
    asked, rest = parser.parse_args(arguments[:ours]), arguments[ours + 1 :]
    if asked.client == "codex":
        say("error: codex speaks OpenAI's Responses API alone, which this server does not have yet")
        return 4
    live = live_of(asked)
    try:
        models = {str(one["id"]): one for one in live.ask("GET", "/v1/models")["data"]}
        model = asked.model or next(iter(models), None)
        if model is None or model not in models:
            say(f"error: the server has no model '{model}': it has {', '.join(models) or 'none'}")
            return 3
        is_agent = asked.client in _CLIENTS
        n_ctx = context_for_agent(live, asked.client, models[model]) if is_agent else 0
    except NoServer as error:
        say(f"error: {error}; start one with `jan serve`")
        return 4
    except Refused as error:
        say(f"error: {error}")
        return 4
    key = asked.api_key or _NO_KEY
    variables, first = _CLIENTS.get(asked.client, _any)(live.url, key, model, n_ctx)
    if asked.only_print:
        for name, value in variables.items():
            print(f"export {name}={shlex.quote(value)}")
        return 0
    client: str = asked.client
    program = shutil.which(client)
    if program is None:
        say(f"error: {client}: there is no such program here; install it first")
        return 3
    return _become(program, [program, *first, *rest], {**os.environ, **variables})


def _become(program: str, arguments: list[str], environment: Mapping[str, str]) -> int:
    if os.name == "nt":  # where one process cannot become another
        return subprocess.run(arguments, env=environment, check=False).returncode
    os.execve(program, arguments, environment)


def _any(url: str, key: str, model: str, n_ctx: int) -> Launch:
    variables = {
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_API_BASE": f"{url}/v1",  # older clients
        "OPENAI_API_KEY": key,
        "OPENAI_MODEL": model,
    }
    return variables | _claude(url, key, model, n_ctx)[0], []


def _claude(url: str, key: str, model: str, n_ctx: int) -> Launch:
    """It takes a model that it does not know for one of 200,000 tokens, and summarises its
    conversation in time for the window that it is told.
    """
    tiers = ("OPUS", "SONNET", "HAIKU")
    return {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": key,
        "ANTHROPIC_API_KEY": "",  # where it is set, it goes before the token
        "ANTHROPIC_MODEL": model,
        "ANTHROPIC_SMALL_FAST_MODEL": model,
        **{f"ANTHROPIC_DEFAULT_{tier}_MODEL": model for tier in tiers},
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        **({name: str(n_ctx) for name in _WINDOW} if n_ctx else {}),
    }, []


def _opencode(url: str, key: str, model: str, n_ctx: int) -> Launch:
    limit = {"context": n_ctx, "output": min(8192, max(2048, n_ctx // 4))}
    config = {
        "$schema": "https://opencode.ai/config.json",
        "model": f"jan/{model}",
        "provider": {
            "jan": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "jan",
                "options": {"baseURL": f"{url}/v1", "apiKey": key},
                "models": {model: {"name": model, "limit": limit}},
            }
        },
    }
    return {"OPENCODE_CONFIG_CONTENT": json.dumps(config)}, []


def _aider(url: str, key: str, model: str, n_ctx: int) -> Launch:
    return _any(url, key, model, n_ctx)[0], ["--model", f"openai/{model}"]


_CLIENTS: dict[str, Callable[[str, str, str, int], Launch]] = {
    "claude": _claude,
    "opencode": _opencode,
    "aider": _aider,
}
