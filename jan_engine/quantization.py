"""Writes a model file in a smaller type, through llama.cpp's own quantiser."""

from __future__ import annotations

import os
from pathlib import Path

from jan_engine import _core, backend, gguf, log
from jan_engine.errors import (
    BadModelFile,
    InvalidRequest,
    ModelError,
    UnsupportedFeature,
    WriteFailed,
)
from jan_engine.native_call import OnProgress, watched
from jan_engine.native_int import native_int
from jan_engine.whole_file import whole_file

__all__ = ["quantize", "quantize_types"]


def quantize_types() -> list[str]:
    """Every type quantize() takes."""
    return _core.list_quantize_types()


def quantize(
    source: str | Path,
    target: str | Path,
    type_name: str,
    *,
    n_threads: int = 0,
    requantize: bool = False,
    pure: bool = False,
    on_progress: OnProgress | None = None,
) -> None:
    """Write `source` as `target` in the type named, such as "Q4_K_M".

    The target appears whole or not at all: WriteFailed when there is no room for it.
    `requantize` accepts a source that is quantised already, at a cost in quality; `pure` uses
    one type for every matrix. Ctrl-C cancels.
    """
    source, target = Path(source), Path(target)
    threads = native_int("n_threads", n_threads)
    if type_name not in quantize_types():
        raise InvalidRequest(
            f"type_name: {type_name!r} is not a quantisation type",
            "one of " + ", ".join(quantize_types()),
        )
    if target.exists() and not target.is_file():
        raise InvalidRequest(f"target: {target} is no file that could be replaced")
    alignment = gguf.check_model(source)[0].metadata.get("general.alignment", 32)
    if alignment != 32:
        raise UnsupportedFeature(
            f"upstream quantises files aligned to 32 bytes, not to {alignment}"
        )
    backend.load()

    def run(progress: _core.Progress, partial: Path) -> None:
        _core.quantize_file(
            os.fsencode(source),
            os.fsencode(partial),
            type_name,
            progress,
            n_threads=threads,
            requantize=requantize,
            pure=pure,
        )

    try:
        with whole_file(target) as partial:  # a folder that cannot be written to is an OSError
            watched(lambda progress: run(progress, partial), on_progress, "jan-quantize")
            _check_written(partial)
    except ModelError as error:
        error.path = str(source)
        raise
    except WriteFailed as error:
        error.path = str(target)
        raise
    finally:
        log.forward()


def _check_written(partial: Path) -> None:
    """Upstream writes the header last and does not ask whether that arrived."""
    try:
        gguf.read_header(partial)
    except BadModelFile as error:
        raise WriteFailed(f"the target was not written whole: {error.message}") from error
