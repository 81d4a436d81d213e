"""Reads a text through several models in lockstep."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from jan_bench.quality.figures import Quality, Scores, quality
from jan_engine import Model
from jan_engine.errors import InvalidRequest
from jan_engine.gauge import Gauge, Lockstep
from jan_engine.gguf import read_header, split_paths

__all__ = ["SAMPLE", "OnWindow", "Reading", "Settings", "measure", "windows_of"]

SAMPLE = Path(__file__).parent / "sample.txt"
_FREE_SHARE = 0.8  # of the memory that is free, for weights


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    n_ctx: int = 512  # tokens of a window, of which the second half is scored
    n_windows: int = -1  # -1: as many as the text has
    n_ubatch: int = 512
    n_threads: int = 0
    n_gpu_layers: int = -1
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    flash_attn: int = -1
    jan_kernels: bool = True


# How many windows are done of how many, and the figures so far by the model's place.
OnWindow = Callable[[int, int, dict[int, Scores]], None]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    n_windows: int
    n_threads: int
    figures: list[Quality]  # of the reference, where there is one, then of each model in order


class _Reader:
    """A model, and passes over it."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self.model = Model(
            path, n_gpu_layers=settings.n_gpu_layers, matrix_kernels=settings.jan_kernels
        )
        flash = settings.flash_attn
        n_ubatch = min(settings.n_ubatch, settings.n_ctx)
        self.gauge = Gauge(
            self.model,
            n_ctx=settings.n_ctx,
            n_batch=n_ubatch,
            n_ubatch=n_ubatch,
            n_wanted=min(n_ubatch, settings.n_ctx - settings.n_ctx // 2),
            n_threads=settings.n_threads,
            cache_type_k=settings.cache_type_k,
            cache_type_v=settings.cache_type_v,
            flash_attention=None if flash < 0 else bool(flash),
        )


def windows_of(model: Model, text: bytes, settings: Settings) -> list[list[int]]:
    """As llama-perplexity cuts it: whole windows, each from the model's first token on.

    Raises InvalidRequest for a text shorter than two of them.
    """
    tokens = model.tokenize(text)
    if model.vocab.adds_eos and tokens and tokens[-1] == model.vocab.eos:
        tokens.pop()
    n_ctx = settings.n_ctx
    if len(tokens) < 2 * n_ctx:
        raise InvalidRequest(
            f"file: the text has {len(tokens)} tokens, fewer than two windows of {n_ctx}",
            "a smaller --ctx-size needs less",
        )
    starts = range(0, len(tokens) - n_ctx + 1, n_ctx)
    windows = [tokens[start : start + n_ctx] for start in starts]
    if settings.n_windows > 0:
        windows = windows[: settings.n_windows]
    if model.vocab.adds_bos:
        windows = [[model.vocab.bos, *window[1:]] for window in windows]
    return windows


def measure(
    text: bytes,
    reference: Path | None,
    models: Sequence[Path],
    settings: Settings,
    on_window: OnWindow,
) -> Reading:
    """As many models at once as fit the memory, and the reference with each lot of them."""
    if reference is None:
        lots = [_alone(text, path, settings, on_window, i) for i, path in enumerate(models)]
        return msgspec.structs.replace(
            lots[0], figures=[figures for lot in lots for figures in lot.figures]
        )
    base = _Reader(reference, settings)
    windows = windows_of(base.model, text, settings)
    found: dict[int, Quality] = {}
    for group in _groups(reference, models):
        found |= _compared(base, {i: models[i] for i in group}, text, windows, settings, on_window)
    return Reading(
        n_windows=len(windows),
        n_threads=base.gauge.n_threads,
        figures=[found[place] for place in sorted(found)],
    )


def _alone(text: bytes, path: Path, settings: Settings, on_window: OnWindow, place: int) -> Reading:
    reader = _Reader(path, settings)
    windows = windows_of(reader.model, text, settings)
    step, scores = Lockstep(reader.gauge), Scores()
    for number, window in enumerate(windows):
        scores.add(step.score(window, settings.n_ctx // 2)[0])
        on_window(number + 1, len(windows), {place: scores})
    return Reading(
        n_windows=len(windows),
        n_threads=reader.gauge.n_threads,
        figures=[quality(scores, compared=False)],
    )


def _compared(
    base: _Reader,
    models: dict[int, Path],
    text: bytes,
    windows: list[list[int]],
    settings: Settings,
    on_window: OnWindow,
) -> dict[int, Quality]:
    """By the model's place; the reference is at -1."""
    readers = [_Reader(path, settings) for path in models.values()]
    for reader in readers:
        if (
            reader.model.vocab.n_tokens != base.model.vocab.n_tokens
            or windows_of(reader.model, text, settings) != windows
        ):
            raise InvalidRequest(
                f"model: {reader.model.path} has another vocabulary than the reference: "
                "their guesses are of different things"
            )
    step = Lockstep(base.gauge, [reader.gauge for reader in readers])
    scores = {place: Scores() for place in models}
    for number, window in enumerate(windows):
        for of_model, tokens in zip(
            scores.values(), step.score(window, settings.n_ctx // 2), strict=True
        ):
            of_model.add(tokens)
        on_window(number + 1, len(windows), scores)
    found = {place: quality(one, compared=True) for place, one in scores.items()}
    return {-1: quality(next(iter(scores.values())), compared=False)} | found


def _groups(reference: Path, models: Sequence[Path]) -> Iterator[list[int]]:
    """Places of models that fit into memory beside the reference; at least one in each."""
    room = _FREE_SHARE * _free_bytes() - _file_bytes(reference)
    group: list[int] = []
    taken = 0
    for place, path in enumerate(models):
        n_bytes = _file_bytes(path)
        if group and taken + n_bytes > room:
            yield group
            group, taken = [], 0
        group.append(place)
        taken += n_bytes
    yield group


def _file_bytes(path: Path) -> int:
    """Of all parts of a model."""
    return sum(part.stat().st_size for part in split_paths(read_header(path)))


def _free_bytes() -> float:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # another system
    return math.inf
