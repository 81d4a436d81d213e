"""What web pages may do here: nothing, unless they come from this machine or are named.

A page anywhere can make a browser call 127.0.0.1, and with a name of its own that resolves to it
(DNS rebinding) even read the answers. The Host and Origin headers give both away, Sec-Fetch-Site
what comes without an Origin, as images do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from jan_server.config import Settings
from jan_server.errors import ApiError

__all__ = ["BrowserGuard"]

_THIS_MACHINE = {"localhost", "127.0.0.1", "[::1]", "tauri.localhost"}
_PLACE = r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?"
_HOST = re.compile(_PLACE, re.IGNORECASE)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://" + _PLACE, re.IGNORECASE)
_NAMES = re.compile(
    r"[!#$%&'*+.^_`|~0-9a-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9a-z-]+)*", re.IGNORECASE
)
_MOST_NAMES = 4096  # bytes
_USUAL_NAMES = (
    "Authorization, Content-Type, Accept, X-API-Key, Idempotency-Key, X-Request-Id, "
    "Mcp-Session-Id, mcp-protocol-version, X-Tool-Call-ID, X-Conversation-ID"
)
_EXPOSED = (  # what scripts of a page may read of our answers
    "X-Request-Id, Request-Id, X-Auth-Method, X-Jan-Ignored, Location, Retry-After, "
    "Preference-Applied, Warning, "
    "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
    "X-RateLimit-Limit-Requests, X-RateLimit-Remaining-Requests, X-RateLimit-Reset-Requests, "
    "X-RateLimit-Limit-Tokens, X-RateLimit-Remaining-Tokens, X-RateLimit-Reset-Tokens, "
    "Idempotency-Key, Mcp-Session-Id, Content-Disposition"
)


class BrowserGuard:
    def __init__(self, settings: Settings) -> None:
        # Behind an address of the network, names are many and a key is required instead.
        named = {name.lower() for name in settings.trusted_host}
        self._any_host = not settings.is_local and not named
        self._hosts = _THIS_MACHINE | named | {f"[{name}]" for name in named if ":" in name}
        self._origins = set(settings.cors_origin)

    def check(self, headers: dict[bytes, bytes], *, is_harmless: bool = False) -> dict[str, str]:
        """The response headers that a page needs to read the answer. Raises 403.

        `is_harmless`: to read what is asked for does nothing and tells nothing of anybody, so that
        any page may have a link to it.
        """
        host = _name(_HOST, headers.get(b"host", b""))
        if host not in self._hosts and not (self._any_host and (host or b"host" not in headers)):
            raise ApiError(403, "untrusted_host", "Host is not a name of this server")
        origin = headers.get(b"origin", b"")
        if not origin:
            if headers.get(b"sec-fetch-site") == b"cross-site" and not (
                is_harmless and headers.get(b"sec-fetch-dest") == b"document"
            ):
                message = "Pages from elsewhere may not load this"
                raise ApiError(403, "untrusted_origin", message)
            return {}
        if not self._is_welcome(origin, host):
            raise ApiError(403, "untrusted_origin", "Pages from this origin may not call")
        return {
            "Access-Control-Allow-Origin": origin.decode("latin-1"),
            "Access-Control-Expose-Headers": _EXPOSED,
            "Vary": "Origin",
        }

    def _is_welcome(self, origin: bytes, host: str) -> bool:
        if "*" in self._origins or origin.decode("latin-1") in self._origins:
            return True
        name = _name(_ORIGIN, origin)
        return bool(name) and (name in _THIS_MACHINE or name == host)

    @staticmethod
    def preflight(methods: Iterable[str], headers: dict[bytes, bytes]) -> dict[str, str]:
        """For an origin that is welcome. Official clients send a dozen names, new ones with every
        release, so what they ask for is what they get.
        """
        names = headers.get(b"access-control-request-headers", b"").decode("latin-1").strip()
        if len(names) > _MOST_NAMES or not _NAMES.fullmatch(names):
            names = _USUAL_NAMES
        allowed = {
            "Access-Control-Allow-Methods": ", ".join(methods),
            "Access-Control-Allow-Headers": names,
            "Access-Control-Max-Age": "600",
            "Vary": "Origin, Access-Control-Request-Headers",
        }
        if b"access-control-request-private-network" in headers:
            allowed["Access-Control-Allow-Private-Network"] = "true"
        return allowed


def _name(pattern: re.Pattern[str], given: bytes) -> str:
    """The host's name in it, without its port. "" where there is none."""
    found = pattern.fullmatch(given.decode("latin-1"))
    return found[1].lower() if found else ""
