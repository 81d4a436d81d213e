"""Upstream's server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.serving.http_server import HttpServer, free_port
from bench.serving.load import Answer, Ask

__all__ = ["PROGRAMS", "LlamaServer"]

PROGRAMS = Path(__file__).resolve().parents[2] / "build/peers/bin"


class LlamaServer(HttpServer):
    PATH = "/completion"
    READY = "/health"

    def __init__(self, name: str, model: Path, flags: Sequence[str]) -> None:
        port = free_port()
        command = [str(PROGRAMS / "llama-server"), "-m", str(model), "--port", str(port)]
        super().__init__(name, [*command, "--host", "127.0.0.1", "--no-webui", *flags], port)

    def fields(self, ask: Ask, stream: bool) -> dict[str, object]:
        fields: dict[str, object] = {
            "prompt": ask.prompt,
            "n_predict": ask.n_out,
            "ignore_eos": True,
            "temperature": 0,
            "stream": stream,
        }
        if ask.schema is not None:
            fields["json_schema"] = json.loads(ask.schema)
        return fields

    def take(self, told: dict[str, Any], answer: Answer, now: float, *, stream: bool) -> None:
        # A frame is a token, but where a character is not whole yet there is none.
        n = told["tokens_predicted"] - answer.n_out if told["stop"] else 1
        answer.token_s += [now] * n
        answer.n_out += n
        if told["stop"]:
            answer.n_cached = told["timings"]["cache_n"]
            answer.n_evaluated = told["timings"]["prompt_n"]
