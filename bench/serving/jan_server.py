"""Our server, as `jan serve` starts it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench.serving.http_server import HttpServer, free_port
from bench.serving.load import Answer, Ask
from jan_engine import EngineOptions

__all__ = ["JanServer"]


class JanServer(HttpServer):
    PATH = "/v1/completions"
    READY = "/readyz"

    def __init__(self, name: str, model: Path, options: EngineOptions) -> None:
        port = free_port()
        self.model_id = "benched"
        flags = {
            "--port": port,
            "--alias": self.model_id,
            "--parallel": options.n_parallel,
            "--ctx-size": options.n_ctx,
            "--threads": options.n_threads,
        }
        command = [sys.executable, "-m", "jan_server.cli.main", "serve", str(model)]
        command += [str(text) for pair in flags.items() for text in pair]
        super().__init__(name, [*command, "--no-speculation", "--no-log-requests"], port)

    def fields(self, ask: Ask, stream: bool) -> dict[str, object]:
        fields: dict[str, object] = {
            "model": self.model_id,
            "prompt": ask.prompt,
            "max_tokens": ask.n_out,
            "ignore_eos": True,
            "temperature": 0,
            "repeat_penalty": 1,  # by default 1.1, a sampler more than the others
            "stream": stream,
            "return_tokens": stream,  # a frame may hold several
        }
        if ask.schema is not None:
            fields["json_schema"] = json.loads(ask.schema)
        return fields

    def take(self, told: dict[str, Any], answer: Answer, now: float, *, stream: bool) -> None:
        n = len(told.get("tokens", ())) if stream else told["tokens_predicted"]
        answer.token_s += [now] * n
        answer.n_out += n
        if "timings" in told:
            answer.n_cached = told["timings"]["cache_n"]
            answer.n_evaluated = told["timings"]["prompt_n"]
