"""How many files this process may have open. A connection is one."""

from __future__ import annotations

from contextlib import suppress

__all__ = ["raise_file_limit"]


def raise_file_limit() -> None:
    """To as many as the system lets us have: its usual 1024 is from the days of select()."""
    try:
        import resource
    except ImportError:  # there are no such limits on Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # macOS has a limit that it does not tell here
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
