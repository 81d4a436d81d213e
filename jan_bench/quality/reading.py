"""Reads a text through several models in lockstep."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import msgspec

from jan_bench.circumstances import this_build
from jan_bench.model_file import read_model_file
from jan_bench.quality.figures import Quality, Scores, quality
from jan_bench.quality.kept import Keeping, KeptFacts, KeptReference, keep_reference, n_scored
from jan_bench.quality.sides import Settings, Side
from jan_engine import Model
from jan_engine.errors import InvalidRequest
from jan_engine.gauge import Gauge, Lockstep, ScoredToken
from jan_engine.gguf import read_header, split_paths

__all__ = ["SAMPLE", "Keep", "OnWindow", "Reading", "Text", "measure", "windows_of"]

SAMPLE = Path(__file__).parent / "sample.txt"
_FREE_SHARE = 0.8  # of the memory that is free, for weights


# How many windows are done of how many, and the figures so far by the side's place; the reference
# alone is at -1.
OnWindow = Callable[[int, int, dict[int, Scores]], None]


class Text(msgspec.Struct, frozen=True, kw_only=True):
    name: str  # its path, or "sample"
    bytes: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.bytes).hexdigest()


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """Where a reference's logits go, for comparisons to come."""

    path: Path
    hashed: bool = True


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    n_windows: int
    n_threads: int
    figures: list[Quality]  # of the reference, where there is one, then of each side in order


class _Readers:
    """Models, and passes over them; sides that differ in how they compute share one."""

    def __init__(self) -> None:
        self._models: dict[tuple[Path, int, bool], Model] = {}

    def open(self, side: Side) -> tuple[Model, Gauge]:
        settings = side.settings
        model = self._models.get(side.loaded)
        if model is None:
            model = self._models[side.loaded] = Model(
                side.path, n_gpu_layers=settings.n_gpu_layers, matrix_kernels=settings.jan_kernels
            )
        flash = settings.flash_attn
        n_ubatch = min(settings.n_ubatch, settings.n_ctx)
        return model, Gauge(
            model,
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
    text: Text,
    reference: Side | KeptReference | None,
    sides: Sequence[Side],
    on_window: OnWindow,
    keep: Keep | None = None,
) -> Reading:
    """As many models at once as fit the memory, and the reference with each lot of them.

    Without a reference each side stands alone; without sides the reference does. `keep` is for a
    reference that computes.
    """
    if reference is None:
        lots = [_alone(text, side, on_window, place, None) for place, side in enumerate(sides)]
        return msgspec.structs.replace(
            lots[0], figures=[figures for lot in lots for figures in lot.figures]
        )
    if not sides:
        assert isinstance(reference, Side)
        return _alone(text, reference, on_window, -1, keep)
    if isinstance(reference, KeptReference):
        settings = reference.facts.settings
        windows = reference.windows(sides[0].settings.n_windows)
        n_threads = 0
        source: _FromFile | _Computed = _FromFile(reference)
    else:
        settings = reference.settings
        model, gauge = _Readers().open(reference)
        windows = windows_of(model, text.bytes, settings)
        n_threads = gauge.n_threads
        source = _Computed(reference, text, gauge, windows, model.vocab.n_tokens, keep)
    found: dict[int, Quality] = {}
    for group in _groups(reference, sides):
        readers = _Readers()
        opened = [readers.open(sides[place]) for place in group]
        for place, (model, _) in zip(group, opened, strict=True):
            if model.vocab.n_tokens != source.n_vocab or (
                windows_of(model, text.bytes, sides[place].settings) != windows
            ):
                raise InvalidRequest(
                    f"model: {sides[place].path} has another vocabulary than the reference: "
                    "their guesses are of different things"
                )
        scores = {place: Scores() for place in group}
        with source.against([gauge for _, gauge in opened]) as score:
            for number, window in enumerate(windows):
                for one, tokens in zip(scores.values(), score(number, window), strict=True):
                    one.add(tokens)
                on_window(number + 1, len(windows), scores)
        n_threads = n_threads or opened[0][1].n_threads
        n_each = n_scored(settings.n_ctx)
        found |= {p: quality(one, compared=True, n_each=n_each) for p, one in scores.items()}
        base = quality(next(iter(scores.values())), compared=False, n_each=n_each)
        found.setdefault(-1, base)
    return Reading(
        n_windows=len(windows),
        n_threads=n_threads,
        figures=[found[place] for place in sorted(found)],
    )


_Score = Callable[[int, list[int]], list[list[ScoredToken]]]


class _FromFile:
    """A reference whose logits are in a file."""

    def __init__(self, kept: KeptReference) -> None:
        self._kept = kept
        self.n_vocab = kept.facts.n_vocab

    @contextmanager
    def against(self, gauges: Sequence[Gauge]) -> Generator[_Score]:
        step = Lockstep(None, gauges)

        def score(number: int, window: list[int]) -> list[list[ScoredToken]]:
            with self._kept.rows(number) as rows:
                return step.score_against(rows, window, len(window) // 2)

        yield score


class _Computed:
    """A reference that is in memory. Its logits are kept while they are computed first."""

    def __init__(
        self,
        side: Side,
        text: Text,
        gauge: Gauge,
        windows: Sequence[Sequence[int]],
        n_vocab: int,
        keep: Keep | None,
    ) -> None:
        self._side, self._text, self._gauge = side, text, gauge
        self._windows, self._keep = windows, keep
        self.n_vocab = n_vocab

    @contextmanager
    def against(self, gauges: Sequence[Gauge]) -> Generator[_Score]:
        step = Lockstep(self._gauge, gauges)
        with self._keeping() as kept:
            self._keep = None

            def score(number: int, window: list[int]) -> list[list[ScoredToken]]:
                with kept.rows(number) if kept else nullcontext() as rows:
                    return step.score(window, len(window) // 2, rows)

            yield score

    @contextmanager
    def _keeping(self) -> Generator[Keeping | None]:
        if self._keep is None:
            yield None
            return
        side, build = self._side, this_build(computes=True)
        facts = KeptFacts(
            model=read_model_file(side.path, hashed=self._keep.hashed),
            setting=side.setting,
            settings=msgspec.structs.replace(side.settings, n_windows=len(self._windows)),
            n_vocab=self.n_vocab,
            n_threads=self._gauge.n_threads,
            text=self._text.name,
            text_sha256=self._text.sha256,
            kernels=f"{build.version} {build.cpu_variant}",
        )
        with keep_reference(self._keep.path, facts, self._windows) as kept:
            yield kept


def _alone(text: Text, side: Side, on_window: OnWindow, place: int, keep: Keep | None) -> Reading:
    model, gauge = _Readers().open(side)
    windows = windows_of(model, text.bytes, side.settings)
    source = _Computed(side, text, gauge, windows, model.vocab.n_tokens, keep)
    scores = Scores()
    with source.against([]) as score:
        for number, window in enumerate(windows):
            scores.add(score(number, window)[0])
            on_window(number + 1, len(windows), {place: scores})
    return Reading(
        n_windows=len(windows),
        n_threads=gauge.n_threads,
        figures=[quality(scores, compared=False, n_each=n_scored(side.settings.n_ctx))],
    )


def _groups(reference: Side | KeptReference, sides: Sequence[Side]) -> Iterator[list[int]]:
    """Places of sides that fit into memory beside the reference; at least one in each."""
    room = _FREE_SHARE * _free_bytes()
    if isinstance(reference, Side):
        room -= _file_bytes(reference.path)
    group: list[int] = []
    loaded: set[tuple[Path, int, bool]] = set()
    taken = 0
    for place, side in enumerate(sides):
        n_bytes = 0 if side.loaded in loaded else _file_bytes(side.path)
        if group and taken + n_bytes > room:
            yield group
            group, taken = [], 0
            loaded = set()
            n_bytes = _file_bytes(side.path)
        group.append(place)
        loaded.add(side.loaded)
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
