"""Who is calling: anybody, or whoever shows a key."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

import msgspec

from jan_server.errors import ApiError

__all__ = ["ANONYMOUS", "KeyRing", "Principal"]

OWN_KEY_PREFIX = "sk_"  # keys that a server of this kind gives out; other texts are placeholders


class Principal(msgspec.Struct, frozen=True):
    """A caller. Equal prompts share work only within a tenant, and tenants take turns."""

    name: str
    method: str  # for the X-Auth-Method header
    tenant: str = ""


ANONYMOUS = Principal("local", "none")


class KeyRing:
    """The keys this server accepts. Without any, everybody is welcome."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = [_digest(key) for key in keys]

    def identify(self, headers: dict[bytes, bytes]) -> Principal:
        """Raises 401 for whoever shows no key, or a wrong one."""
        shown = _shown(headers)
        if not self._digests:
            if any(key.startswith(OWN_KEY_PREFIX) for key in shown):
                raise _refused("invalid_api_key", "There is no such API key")
            return ANONYMOUS
        if not shown:
            raise _refused("missing_credentials", "An API key is required")
        for digest in map(_digest, shown):
            # Every key is compared, in a time that says nothing of how much was right.
            matches = [hmac.compare_digest(digest, known) for known in self._digests]
            if any(matches):
                return Principal("local", "api_key", digest.hex()[:16])
        raise _refused("invalid_api_key", "There is no such API key")


def _shown(headers: dict[bytes, bytes]) -> list[str]:
    """Every credential of the request. An empty one counts as none."""
    kind, _, token = headers.get(b"authorization", b"").partition(b" ")
    bearer = token.strip() if kind.lower() == b"bearer" else b""
    keys = (bearer, headers.get(b"x-api-key", b"").strip(), headers.get(b"apikey", b"").strip())
    return [key.decode("latin-1") for key in keys if key]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _refused(code: str, message: str) -> ApiError:
    return ApiError(401, code, message, headers={"WWW-Authenticate": "Bearer"})
