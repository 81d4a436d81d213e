"""A model's forward passes without an engine around them: how long they take, and how far apart two
models' guesses over a text are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from jan_engine import _core, log
from jan_engine.errors import ModelError
from jan_engine.model import Model
from jan_engine.native_call import watched
from jan_engine.native_int import native_int, token_ids

__all__ = ["Gauge", "Lockstep", "PassTimes", "ScoredToken"]

_LOOK_EVERY_S = 0.25  # Ctrl-C interrupts the waiting in any case


class PassTimes(msgspec.Struct, frozen=True):
    """Nanoseconds of a steady clock, read in native code."""

    prompt_ns: int
    decode_ns: int


class ScoredToken(msgspec.Struct, frozen=True):
    """One token of a text, as a reference and another model saw it coming. In nats."""

    base_nll: float  # minus the log-probability that the reference gave it
    nll: float  # and the other
    kl: float  # divergence of the other's distribution from the reference's
    same_best: bool  # both held the same token to be the most likely


class Gauge:
    """Passes over a shared model, on a cache and threads of their own. For one thread."""

    def __init__(
        self,
        model: Model,
        *,
        n_ctx: int,
        n_streams: int = 1,
        n_batch: int = 2048,
        n_ubatch: int = 512,
        n_wanted: int = 0,
        n_threads: int = 0,
        poll: int = 1,
        seed: int = 1,
        cache_type_k: str = "f16",
        cache_type_v: str = "f16",
        flash_attention: bool | None = None,
        unified: bool = False,
    ) -> None:
        """`n_ctx` is for each stream; `n_wanted` rows of a pass may have their logits read.

        `poll` is how long threads watch for work before they sleep, as the engine's `poll`.
        """
        self.model = model
        try:
            self.core = _core.Gauge(
                model.core,
                n_ctx=native_int("n_ctx", n_ctx),
                n_streams=native_int("n_streams", n_streams),
                n_batch=native_int("n_batch", n_batch),
                n_ubatch=native_int("n_ubatch", n_ubatch),
                n_wanted=native_int("n_wanted", n_wanted),
                n_threads=native_int("n_threads", n_threads),
                n_positions=model.n_positions,
                poll=native_int("poll", poll),
                seed=abs(native_int("seed", seed)),
                cache_type_k=cache_type_k.encode(),
                cache_type_v=cache_type_v.encode(),
                flash_attention=-1 if flash_attention is None else int(flash_attention),
                unified=unified,
            )
        except ModelError as error:
            error.path = str(model.path)
            raise
        finally:
            log.forward()

    @property
    def n_threads(self) -> int:
        return self.core.n_threads

    @property
    def flash(self) -> bool:
        """Whether attention is llama.cpp's flash kernel."""
        return self.core.flash

    def time(self, n_prompt: int, n_gen: int, *, n_depth: int = 0) -> PassTimes:
        """From `n_depth` tokens on, `n_prompt` random tokens a stream, then `n_gen` times one.

        What leads to that depth is not timed. Ctrl-C ends it within a node of the graph.
        """
        depth = native_int("n_depth", n_depth)
        prompt, gen = native_int("n_prompt", n_prompt), native_int("n_gen", n_gen)

        def call(progress: _core.Progress) -> tuple[int, int]:
            return self.core.time(depth, prompt, gen, progress)

        try:
            return PassTimes(*watched(call, None, "jan-gauge", _LOOK_EVERY_S))
        finally:
            log.forward()


class Lockstep:
    """A reference and other models over the same text, a piece at a time.

    The reference's logits are compared while they are there; where somebody keeps them, other
    models can be compared with them later, when the reference itself is no longer in memory.
    """

    def __init__(self, base: Gauge | None, others: Sequence[Gauge] = ()) -> None:
        """Without a base, for `score_against`. Raises InvalidRequest where vocabularies are of
        different sizes.
        """
        self.core = _core.Lockstep(
            None if base is None else base.core, [other.core for other in others]
        )

    def score(
        self, window: list[int], n_unscored: int, keep: memoryview | None = None
    ) -> list[list[ScoredToken]]:
        """For each other model, or for the reference where there is none, the tokens after the
        first `n_unscored` + 1, read from an empty cache.

        `keep` takes the reference's logits, a float32 for each token of the vocabulary after each
        scored token's predecessor.
        """
        token_ids("window", window)
        return _watched(lambda progress: self.core.score(window, n_unscored, keep, progress))

    def score_against(
        self, kept: memoryview, window: list[int], n_unscored: int
    ) -> list[list[ScoredToken]]:
        """The same for the other models, against what `score` kept of this window."""
        token_ids("window", window)
        return _watched(
            lambda progress: self.core.score_against(kept, window, n_unscored, progress)
        )


_Scored = list[list[tuple[float, float, float, bool]]]


def _watched(call: Callable[[_core.Progress], _Scored]) -> list[list[ScoredToken]]:
    try:
        found = watched(call, None, "jan-lockstep", _LOOK_EVERY_S)
    finally:
        log.forward()
    return [[ScoredToken(*token) for token in of_model] for of_model in found]
