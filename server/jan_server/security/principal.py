"""Who is calling: anybody, or whoever shows a key."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable

import msgspec

from jan_server.errors import ApiError
from jan_server.security.key_file import KeyFile, digest

__all__ = ["ANONYMOUS", "KeyRing", "Principal"]

OWN_KEY_PREFIX = "sk_"  # keys that a server of this kind gives out; other texts are placeholders


class Principal(msgspec.Struct, frozen=True):
    """A caller. Equal prompts share work only within a tenant, and tenants take turns."""

    name: str
    method: str  # for the X-Auth-Method header
    tenant: str = ""


ANONYMOUS = Principal("local", "none")


class KeyRing:
    """Holds the keys this server accepts: those it was given, and those of a file while they last.

    A server that has had a key since its start asks for one until it ends, also when its file goes,
    and so does one that is to ask `always`. Any other lets everybody in.
    """

    def __init__(
        self, keys: Iterable[str], file: KeyFile | None = None, *, always: bool = False
    ) -> None:
        self._digests = [digest(key) for key in keys]
        self._file = file
        self._asks = always or bool(self._digests)
        self._look()

    @property
    def asks(self) -> bool:
        self._look()
        return self._asks

    def _look(self) -> None:
        """Once the file has had a key, or cannot be read, its disappearance opens nothing."""
        if not self._asks and self._file is not None:
            self._asks = bool(self._file.recent()) or self._file.is_bad

    def identify(self, headers: dict[bytes, bytes]) -> Principal:
        """Raises 401 for whoever shows no key, or a wrong one."""
        shown = _shown(headers)
        if not self.asks:
            if any(key.startswith(OWN_KEY_PREFIX.encode()) for key in shown):
                raise _refused("invalid_api_key", "There is no such API key")
            return ANONYMOUS
        if not shown:
            raise _refused("missing_credentials", "An API key is required")
        known = [*self._digests, *self._active()]
        # Some clients write a key's letters in UTF-8, others in Latin-1.
        for one in [
            digest(spelling) for key in shown for spelling in {key, key.decode("latin-1").encode()}
        ]:
            # Every key is compared, in a time that says nothing of how much was right.
            matches = [hmac.compare_digest(one, other) for other in known]
            if any(matches):
                return Principal("local", "api_key", one.hex()[:16])
        raise _refused("invalid_api_key", "There is no such API key")

    def _active(self) -> list[bytes]:
        now_s = time.time()
        records = [] if self._file is None else self._file.recent()
        return [bytes.fromhex(one.sha256) for one in records if one.status(now_s) == "active"]


def _shown(headers: dict[bytes, bytes]) -> list[bytes]:
    """Every credential of the request. An empty one counts as none."""
    kind, _, token = headers.get(b"authorization", b"").partition(b" ")
    bearer = token.strip() if kind.lower() == b"bearer" else b""
    keys = (bearer, headers.get(b"x-api-key", b"").strip(), headers.get(b"apikey", b"").strip())
    return [key for key in keys if key]


def _refused(code: str, message: str) -> ApiError:
    return ApiError(401, code, message, headers={"WWW-Authenticate": "Bearer"})
