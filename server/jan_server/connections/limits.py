"""What connections may take before anybody has shown a key, and for how long."""

from __future__ import annotations

import msgspec

__all__ = ["ConnectionLimits", "most_connections"]

_OTHER_FILES = 256  # models, the database, downloads, what libraries open
_FEWEST = 16


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    n_connections: int = 8192
    n_head_bytes: int = 64 * 1024  # of one request's line and headers; of trailers, too
    n_headers: int = 256
    n_unread_bytes: int = 64 * 1024 * 1024  # of all heads together that are not whole yet
    head_s: float = 30.0  # from a request's first byte to the end of its headers
    idle_s: float = 60.0  # without a request
    body_s: float = 30.0  # without a byte of a body that is not whole
    body_bytes_per_s: int = 500  # a body that trickles in more slowly is not waited for
    left_s: float = 5.0  # where a caller that sends no more cannot be asked whether it still reads


def most_connections(wanted: int) -> int:
    """`wanted`, or as many as the process may have files for."""
    try:
        import resource
    except ImportError:  # there are no such limits on Windows
        return wanted
    n_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if n_files == resource.RLIM_INFINITY:
        return wanted
    return max(_FEWEST, min(wanted, n_files - _OTHER_FILES))
