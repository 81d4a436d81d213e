"""What `jan bench engine` times: tests, and the order they come in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import msgspec

__all__ = ["EngineGrid", "EngineTest", "all_tests"]


class EngineTest(msgspec.Struct, frozen=True, kw_only=True):
    """One row: so many tokens under these settings, some times over."""

    model: str  # its path
    n_prompt: int
    n_gen: int
    n_depth: int
    n_streams: int = 0  # 0: the one of llama-bench; else a row of llama-batched-bench
    n_batch: int
    n_ubatch: int
    type_k: str
    type_v: str
    n_threads: int
    n_gpu_layers: int
    flash_attn: int  # -1 where the device has it, 0 no, 1 yes
    poll: int
    jan_kernels: bool  # our matrix kernels where we have any, or upstream's

    @property
    def name(self) -> str:
        """As llama-bench calls it."""
        prompt = f"pp{self.n_prompt}" if self.n_prompt else ""
        decode = f"tg{self.n_gen}" if self.n_gen else ""
        depth = f" @ d{self.n_depth}" if self.n_depth else ""
        return "+".join(filter(None, (prompt, decode))) + depth


class EngineGrid(msgspec.Struct, frozen=True, kw_only=True):
    """Every value of every setting. A test is made for each combination."""

    models: Sequence[str]
    n_prompt: Sequence[int] = (512,)
    n_gen: Sequence[int] = (128,)
    n_prompt_gen: Sequence[tuple[int, int]] = ()
    n_depth: Sequence[int] = (0,)
    n_streams: Sequence[int] = ()  # none: llama-bench's tests, otherwise llama-batched-bench's
    n_batch: Sequence[int] = (2048,)
    n_ubatch: Sequence[int] = (512,)
    type_k: Sequence[str] = ("f16",)
    type_v: Sequence[str] = ("f16",)
    n_threads: Sequence[int] = (0,)
    n_gpu_layers: Sequence[int] = (-1,)
    flash_attn: Sequence[int] = (-1,)
    poll: Sequence[int] = (1,)
    jan_kernels: Sequence[bool] = (True,)


def all_tests(grid: EngineGrid) -> Iterator[EngineTest]:
    """In llama-bench's order, which loads each model as seldom as can be."""
    loads = itertools.product(grid.models, grid.n_gpu_layers, grid.jan_kernels)
    settings = itertools.product(
        grid.n_batch,
        grid.n_ubatch,
        grid.type_k,
        grid.type_v,
        grid.flash_attn,
        grid.n_threads,
        grid.n_depth,
        grid.poll,
    )
    for (model, layers, kernels), setting in itertools.product(loads, settings):
        batch, ubatch, k, v, flash, threads, depth, poll = setting
        for n_prompt, n_gen, n_streams in _token_counts(grid):
            yield EngineTest(
                model=model,
                n_prompt=n_prompt,
                n_gen=n_gen,
                n_depth=depth,
                n_streams=n_streams,
                n_batch=batch,
                n_ubatch=ubatch,
                type_k=k,
                type_v=v,
                n_threads=threads,
                n_gpu_layers=layers,
                flash_attn=flash,
                poll=poll,
                jan_kernels=kernels,
            )


def _token_counts(grid: EngineGrid) -> Iterator[tuple[int, int, int]]:
    if grid.n_streams:
        pairs = [*itertools.product(grid.n_prompt, grid.n_gen), *grid.n_prompt_gen]
        yield from ((pp, tg, n) for pp, tg in pairs if pp + tg > 0 for n in grid.n_streams)
        return
    yield from ((pp, 0, 0) for pp in grid.n_prompt if pp > 0)
    yield from ((0, tg, 0) for tg in grid.n_gen if tg > 0)
    yield from ((pp, tg, 0) for pp, tg in grid.n_prompt_gen if pp + tg > 0)
