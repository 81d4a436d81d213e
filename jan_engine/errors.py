"""Every error the engine raises. Three roots by blame; data in attributes, never in prose.

EngineError                       code, message, hint
    InvalidRequest (ValueError)   the caller's fault: field
        ContextOverflow           n_prompt, n_ctx
        UnsupportedFeature
    ModelError                    the file's fault
        ModelNotFound             path
        BadModelFile              path, offset, field
            UnsupportedModelFormat
        OutOfMemory
    Unavailable                   try later
        QueueFull                 retry_after_s
        EngineClosed
        Cancelled
        WriteFailed               path
    BackendFailure                our bug or the device's
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BackendFailure",
    "BadModelFile",
    "Cancelled",
    "ContextOverflow",
    "EngineClosed",
    "EngineError",
    "InvalidRequest",
    "ModelError",
    "ModelNotFound",
    "OutOfMemory",
    "QueueFull",
    "Unavailable",
    "UnsupportedFeature",
    "UnsupportedModelFormat",
    "WriteFailed",
    "from_code",
]


class EngineError(Exception):
    """Root of everything jan_engine raises on purpose."""

    code: ClassVar[str] = "engine_error"

    def __init__(self, message: str, hint: str = "", facts: dict[str, int] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = facts or {}

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidRequest(EngineError, ValueError):
    """The caller asked for something that cannot be done. Nothing was done."""

    code = "invalid_request"

    @property
    def field(self) -> str | None:
        """What the caller wrote it under: where it is known, the message begins with it."""
        name, colon, _ = self.message.partition(": ")
        return name if colon and name.partition("[")[0].isidentifier() else None


class ContextOverflow(InvalidRequest):
    """The tokens do not fit the context."""

    code = "context_overflow"

    @property
    def n_prompt(self) -> int:
        return self.facts["n_prompt"]

    @property
    def n_ctx(self) -> int:
        return self.facts["n_ctx"]


class UnsupportedFeature(InvalidRequest):
    """This model, or this build, cannot do what was asked."""

    code = "unsupported_feature"


class ModelError(EngineError):
    """The model file is at fault. Nothing stays loaded."""

    code = "model_error"
    path: str = ""


class ModelNotFound(ModelError):
    """There is no such file, or it may not be read."""

    code = "model_not_found"


class BadModelFile(ModelError):
    """The file is damaged or contradicts itself."""

    code = "bad_model_file"
    offset: int | None = None  # bytes from the start of the file, where known
    field: str | None = None  # the metadata key or tensor, where known


class UnsupportedModelFormat(BadModelFile):
    """A model file, but of a format or version this engine does not read."""

    code = "unsupported_model_format"


class OutOfMemory(ModelError):
    """The model or its context does not fit."""

    code = "out_of_memory"


class Unavailable(EngineError):
    """Not now; the same call may succeed later."""

    code = "unavailable"


class Cancelled(Unavailable):
    """The caller cancelled it."""

    code = "cancelled"


class QueueFull(Unavailable):
    """Too many requests wait already."""

    code = "queue_full"

    @property
    def retry_after_s(self) -> float:
        return self.facts["retry_after_ms"] / 1000


class EngineClosed(Unavailable):
    """The engine takes no more requests."""

    code = "engine_closed"


class WriteFailed(Unavailable):
    """A file could not be written whole. Nothing of it was left behind."""

    code = "write_failed"
    path: str = ""


class BackendFailure(EngineError):
    """A device, a library or the engine itself failed."""

    code = "backend_failure"


class _InternalError(BackendFailure):
    """An exception csrc did not expect: our bug."""

    code = "internal_error"


# enum class errc in csrc/error.h, in its order from 1.
_BY_CODE: tuple[type[EngineError], ...] = (
    _InternalError,
    InvalidRequest,
    ContextOverflow,
    UnsupportedFeature,
    ModelNotFound,
    BadModelFile,
    UnsupportedModelFormat,
    OutOfMemory,
    Cancelled,
    WriteFailed,
    BackendFailure,
    QueueFull,
    EngineClosed,
)


def from_code(code: int, message: str, hint: str, facts: dict[str, int]) -> EngineError:
    """The Python exception for a csrc error. `_core` calls this and nothing else does."""
    return _BY_CODE[code - 1](message, hint, facts)
