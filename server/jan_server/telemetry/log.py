"""Lines on stderr: one per request, and one about the engine while it has work."""

from __future__ import annotations

import logging
import sys
import time
from typing import Literal, TextIO

import msgspec

from jan_server.telemetry.record import Record

__all__ = ["log_request", "start_logging"]

_log = logging.getLogger("jan_server.request")
_QUIET = frozenset({"/health", "/healthz", "/readyz", "/metrics"})  # asked every few seconds
_PAGES = ("/playground/", "/api/swagger/")  # a dozen files each time somebody looks
_CHATTY = ("alembic", "asyncio", "httpx", "httpcore", "httpx2", "httpcore2", "huggingface_hub")
_encoder = msgspec.json.Encoder()


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _moment(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encoder.encode(line).decode()


class _Human(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = "" if record.levelno == logging.INFO else f" {record.levelname.lower()}:"
        line = f"{clock}{level} {record.getMessage()}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def start_logging(form: Literal["human", "json"], level: str, into: TextIO | None = None) -> None:
    """For the whole process, on stderr: whoever starts us decides what becomes of that."""
    handler = logging.StreamHandler(into or sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Human())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


def log_request(record: Record) -> None:
    """Nothing of what was said: only how much, how long and how it ended."""
    level = logging.ERROR if record.status >= 500 and record.status != 503 else logging.INFO
    is_quiet = record.path in _QUIET or record.path.startswith(_PAGES)
    if is_quiet and level == logging.INFO:
        level = logging.DEBUG
    if not _log.isEnabledFor(level):
        return
    fields: dict[str, object] = {
        "request_id": record.request_id,
        "method": record.method,
        "path": record.path,
        "status": record.status,
        "duration_ms": round(record.duration_s * 1e3, 1),
    }
    # A path is the caller's text: it may hold anything that a line of a log should not.
    path = record.path if record.path.isprintable() else ascii(record.path)
    status = record.status or "left"
    said = f"{record.method} {path} {status} {_duration(record.duration_s)}"
    if record.generated:
        first_s = min(
            (one.first_token_s for one in record.generated if one.first_token_s), default=0
        )
        reasons = sorted({one.reason for one in record.generated})
        fields |= {
            "model": record.generated[0].model,
            "prompt_tokens": record.n_prompt,
            "cached_tokens": sum(one.n_cached for one in record.generated),
            "completion_tokens": record.n_out,
            "finish_reasons": reasons,
        }
        said += f", {record.n_prompt} tokens in, {record.n_out} out"
        if first_s:
            fields["first_token_ms"] = round((first_s - record.began_s) * 1e3, 1)
            said += f", first after {_duration(first_s - record.began_s)}"
        said += f", {'/'.join(reasons)}"
    _log.log(level, "%s [%s]", said, record.request_id, extra={"fields": fields})


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.0f} ms"


def _moment(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"
