"""A flag's value as arguments of ours, where it is not simply handed on.

Raises ValueError for a value that cannot be had.
"""

from __future__ import annotations

__all__ = [
    "OFF",
    "ON",
    "budget",
    "each",
    "flash",
    "layers",
    "load_mode",
    "log_form",
    "origins",
    "parallel",
    "ping",
    "pooling",
    "reasoning",
    "speculation",
    "verbosity",
]

ON = {"on", "1", "true", "enabled"}
OFF = {"off", "0", "false", "disabled"}
_YEAR_S = 365 * 24 * 3600


def flash(value: str) -> list[str]:
    word = value.lower()
    return ["--flash-attn=" + ("on" if word in ON else "off" if word in OFF else value)]


def layers(value: str) -> list[str]:
    return ["--n-gpu-layers=" + ("-1" if value.lower() in {"auto", "all"} else value)]


def parallel(value: str) -> list[str]:
    return [] if value == "-1" else [f"--parallel={value}"]


def each(ours: str, value: str) -> list[str]:
    return [f"{ours}={one}" for one in value.split(",") if one]


def origins(value: str) -> list[str]:
    """Pages on this machine are always welcome."""
    return each("--cors-origin", "" if value == "localhost" else value)


def ping(value: str) -> list[str]:
    return ["--ping-s=" + (str(_YEAR_S) if value.startswith("-") else value)]


def verbosity(value: str) -> list[str]:
    names = {"0": "error", "1": "error", "2": "warning", "3": "info"}
    return ["--log-level=" + names.get(value, "debug")]


def log_form(value: str) -> list[str]:
    return ["--log-format=" + ("human" if value == "text" else value)]


def load_mode(value: str) -> list[str]:
    if value == "dio":
        raise ValueError("files are mapped or read, never past the system's cache")
    return [] if value == "auto" else [f"--load-mode={value}"]


def pooling(value: str) -> list[str]:
    if value == "none":
        raise ValueError("a text has one vector, not one for each token")
    return [] if value == "rank" else [f"--pooling={value}"]


def reasoning(value: str) -> list[str]:
    word = value.lower()
    return ["--reasoning=" + ("on" if word in ON else "off" if word in OFF else value)]


def budget(value: str) -> list[str]:
    if value not in ("0", "-1"):
        raise ValueError("a request limits its thoughts; 0 turns them off")
    return ["--reasoning=off"] if value == "0" else []


def speculation(value: str) -> list[str]:
    kinds = set(value.split(","))
    if kinds == {"none"}:
        return ["--no-speculation"]
    if any(kind.startswith("draft-") for kind in kinds):
        raise ValueError("there are no draft models; ngram-simple guesses from the text so far")
    return ["--speculation"]
