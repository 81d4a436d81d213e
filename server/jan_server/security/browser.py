"""What web pages may do here: nothing, unless they come from this machine or are named.

A page anywhere can make a browser call 127.0.0.1, and with a name of its own that resolves to it
(DNS rebinding) even read the answers. The Host and Origin headers give both away.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from jan_server.config import Settings
from jan_server.errors import ApiError

__all__ = ["BrowserGuard"]

_THIS_MACHINE = {"localhost", "127.0.0.1", "::1", "tauri.localhost"}
_ALLOWED_HEADERS = (
    "Authorization, Content-Type, Accept, X-API-Key, Idempotency-Key, X-Request-Id, "
    "Mcp-Session-Id, mcp-protocol-version, X-Tool-Call-ID, X-Conversation-ID"
)


class BrowserGuard:
    def __init__(self, settings: Settings) -> None:
        # Behind an address of the network, names are many and a key is required instead.
        self._hosts = {name.lower() for name in settings.trusted_host}
        self._any_host = not settings.is_local and not self._hosts
        self._hosts |= _THIS_MACHINE
        self._origins = set(settings.cors_origin)

    def check(self, headers: dict[bytes, bytes]) -> dict[str, str]:
        """The response headers that a page needs to read the answer. Raises 403."""
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._any_host and _name(f"//{host}") not in self._hosts:
            raise ApiError(403, "untrusted_host", "Host is not a name of this server")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if not origin:
            return {}
        if not self._is_welcome(origin, host):
            raise ApiError(403, "untrusted_origin", "Pages from this origin may not call")
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}

    def _is_welcome(self, origin: str, host: str) -> bool:
        if "*" in self._origins or origin in self._origins:
            return True
        return _name(origin) in _THIS_MACHINE or _name(origin) == _name(f"//{host}")

    @staticmethod
    def preflight(methods: Iterable[str]) -> dict[str, str]:
        return {
            "Access-Control-Allow-Methods": ", ".join(methods),
            "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
            "Access-Control-Max-Age": "600",
        }


def _name(address: str) -> str:
    """The host's name in a URL, without its port. "" where there is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
