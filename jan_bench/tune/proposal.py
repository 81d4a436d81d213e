"""What a machine's measurements say of the settings a model should be served with. Nothing is
measured here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

__all__ = [
    "Memory",
    "Pace",
    "Proposal",
    "best_model",
    "best_threads",
    "propose",
    "wider_pays",
]

_AS_GOOD = 0.97  # of the best, with fewer threads
_WORTH = 1.1  # tokens per second that more streams have to bring
_SHARE_OF_FREE = 0.9
_WORK_BYTES = 128 << 20  # of passes
_ENOUGH_CTX = 8192  # for which a cache of half the size is worth its loss
_LEAST_CTX = 2048  # for which streams are given up


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens per second."""

    n_threads: int
    n_streams: int
    prompt: float
    decode: float  # of all streams together

    @property
    def each(self) -> float:
        return self.decode / self.n_streams


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes. A cell's are those of one token in one stream's cache, by the cache's type."""

    free: int
    weights: int
    cell: Mapping[str, float]

    def cells(self, cache_type: str) -> int:
        left = self.free * _SHARE_OF_FREE - self.weights - _WORK_BYTES
        return max(0, int(left / self.cell[cache_type])) if self.cell[cache_type] else 1 << 40


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    threads: int
    parallel: int
    ctx_size: int
    cache_type: str
    reasons: list[str]

    def settings(self) -> dict[str, int | str]:
        """By the names of the server's settings."""
        return {
            "threads": self.threads,
            "parallel": self.parallel,
            "ctx_size": self.ctx_size,
            "cache_type": self.cache_type,
        }


def best_threads(paces: Sequence[Pace]) -> int:
    """The fewest that are about as good as the best, reading and generating alike."""
    score = {pace.n_threads: (pace.prompt * pace.decode) ** 0.5 for pace in paces}
    best = max(score.values())
    return min(n for n, value in score.items() if value >= _AS_GOOD * best)


def wider_pays(narrow: Pace, wide: Pace, least_rate: float) -> bool:
    """More streams bring more together, and none of them is too slow to read along."""
    return wide.each >= least_rate and wide.decode >= _WORTH * narrow.decode


def propose(
    paces: Sequence[Pace], memory: Memory, *, n_ctx_train: int, least_rate: float
) -> Proposal:
    """`paces`: of rising numbers of streams, as long as more paid and one further."""
    chosen = paces[0]
    for pace in paces[1:]:
        if wider_pays(chosen, pace, least_rate):
            chosen = pace
    reasons = [
        f"{_counted(chosen.n_threads, 'thread')}: no other number was faster",
        f"{chosen.n_streams} side by side: {chosen.decode:.0f} tokens/s together, "
        f"{chosen.each:.0f} each (one alone: {paces[0].decode:.0f})",
    ]
    n_streams, cache_type = chosen.n_streams, "f16"
    n_ctx = _context(memory.cells("f16") // n_streams, n_ctx_train)
    if n_ctx < min(_ENOUGH_CTX, n_ctx_train) and "q8_0" in memory.cell:
        wider = _context(memory.cells("q8_0") // n_streams, n_ctx_train)
        if wider > n_ctx:
            n_ctx, cache_type = wider, "q8_0"
            reasons.append("a cache of q8_0: in f16 there is no room for long texts")
    while n_ctx < min(_LEAST_CTX, n_ctx_train) and n_streams > 1:
        n_streams //= 2
        n_ctx = _context(memory.cells(cache_type) // n_streams, n_ctx_train)
    if n_streams < chosen.n_streams:
        reasons.append(f"{n_streams} of them: more have no room for their texts")
    if n_ctx == 0:
        reasons.append("there is no room for it in the memory that is free")
    elif n_ctx == n_ctx_train:
        reasons.append(f"{n_ctx} tokens each: all that the model knows")
    else:
        reasons.append(f"{n_ctx} tokens each: what the free memory holds")
    return Proposal(
        threads=chosen.n_threads,
        parallel=n_streams,
        ctx_size=n_ctx,
        cache_type=cache_type,
        reasons=reasons,
    )


def best_model(
    alone: Mapping[str, Pace],
    bits: Mapping[str, float],
    fits: Mapping[str, bool],
    least_rate: float,
) -> str:
    """Of several files, the one with most bits per weight that fits and is fast enough to read
    along; where none is, the fastest that fits.
    """
    room = [name for name in alone if fits[name]] or list(alone)
    quick = [name for name in room if alone[name].decode >= least_rate]
    if quick:
        return max(quick, key=lambda name: bits[name])
    return max(room, key=lambda name: alone[name].decode)


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _context(n_cells: int, n_ctx_train: int) -> int:
    """In powers of two, as people say it; all that the model knows where that fits."""
    if n_cells >= n_ctx_train:
        return n_ctx_train
    return 1 << (n_cells.bit_length() - 1) if n_cells >= 256 else 0
