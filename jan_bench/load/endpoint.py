"""Where requests go, and what they are made of."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from jan_bench.load.reply import Prompt
from jan_engine import InvalidRequest

__all__ = ["Api", "Endpoint", "endpoint_of"]

Api = Literal["completions", "chat"]
_PATHS: dict[Api, str] = {"completions": "/v1/completions", "chat": "/v1/chat/completions"}


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    port: int
    is_tls: bool
    prefix: str  # before /v1
    api: Api
    model: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    ignore_eos: bool = False
    further: dict[str, Any] = {}  # fields of every request: temperature and the like

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.port}{self.prefix}"

    @property
    def path(self) -> str:
        return self.prefix + _PATHS[self.api]

    def request(self, prompt: Prompt) -> bytes:
        """Every byte of the HTTP request."""
        body = msgspec.json.encode(self.body(prompt))
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = [
            f"POST {self.path} HTTP/1.1",
            f"Host: {host}:{self.port}",
            "Content-Type: application/json",
            "Accept: text/event-stream",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def body(self, prompt: Prompt) -> dict[str, Any]:
        asked: dict[str, Any] = {"model": self.model}
        if self.api == "chat":
            messages = prompt.messages or ({"role": "user", "content": prompt.text},)
            asked |= {"messages": messages, "max_completion_tokens": prompt.n_output}
        else:
            text = prompt.text or "\n".join(str(one["content"]) for one in prompt.messages)
            asked |= {"prompt": text, "max_tokens": prompt.n_output}
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
        if self.ignore_eos:
            asked["ignore_eos"] = True
        return asked | self.further


def endpoint_of(url: str, api: Api, **facts: Any) -> Endpoint:  # noqa: ANN401 - Endpoint's fields
    """Raises InvalidRequest where the address is none."""
    parts = urlsplit(url if "://" in url else "http://" + url)
    try:
        port = parts.port
    except ValueError as error:
        raise InvalidRequest(f"url: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidRequest(f"url: {url!r} is no http address")
    prefix = parts.path.rstrip("/")
    for end in (*_PATHS.values(), "/v1"):
        prefix = prefix.removesuffix(end)
    is_tls = parts.scheme == "https"
    port = port or (443 if is_tls else 80)
    return Endpoint(host=parts.hostname, port=port, is_tls=is_tls, prefix=prefix, api=api, **facts)
