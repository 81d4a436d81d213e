"""python -m bench.speculation: what guessing ahead gains, and what it costs who does not repeat.

One model in two engines, with guesses and without, which take turns. The model's text is settled by
its ids (bench/following.py), its work is that of the real shape.

    copying   the answer says again what the prompt said
    coin      every other guess is wrong
    unseen    nothing is ever said twice

A turn in which other programs had more than a twentieth of the processors is taken again.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from bench.following import COIN, RING, UNSEEN
from bench.models import model_path
from jan_engine import LLM, Completion, EngineOptions, Model, Request, Sampling

Prompt = Callable[[random.Random], list[int]]

_MOST_OF_OTHERS = 0.05


def copying(rng: random.Random) -> list[int]:
    start = rng.randrange(len(RING))
    return [*RING[start:], *RING[:start]]


def coin(rng: random.Random) -> list[int]:
    at = 0
    said: list[int] = []
    for _ in range(200):
        said.append(COIN[at])
        at = (at + rng.choice((1, 7))) % len(COIN)
    return said


def unseen(rng: random.Random) -> list[int]:
    start = rng.choice(UNSEEN[: len(UNSEEN) // 2])
    return list(range(start, start + 40))


TASKS: dict[str, Prompt] = {"copying": copying, "coin": coin, "unseen": unseen}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.speculation", description=__doc__)
    parser.add_argument("task", nargs="*", default=list(TASKS), metavar="TASK")
    parser.add_argument("--family", default="qwen2-0.5b-following")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    model = Model(model_path(args.family, "Q4_K_M"))
    print("| task | streams | tokens/s without | with | ratio, least to most | guesses right |")
    print("| --- | --- | --- | --- | --- | --- |")
    for n in args.streams:
        without = EngineOptions(n_parallel=n, n_ctx=1024, n_threads=args.threads, speculation=False)
        engines = [LLM(model, without)]
        same_kernel = engines[0].attention_kernel.flash
        engines.append(LLM(model, replace(without, speculation=True, flash_attention=same_kernel)))
        for task in args.task:
            _measure(engines, TASKS[task], f"{task} | {n}", n, args.tokens, args.rounds)
        for engine in engines:
            engine.close()
    return 0


def _measure(
    engines: list[LLM], prompt: Prompt, name: str, n: int, n_tokens: int, rounds: int
) -> None:
    speeds: list[list[float]] = [[], []]
    ratios: list[float] = []
    n_drafted = n_accepted = 0
    rng = random.Random(name)
    n_turns = 0
    while len(ratios) < rounds and n_turns < 2 * rounds:
        n_turns += 1
        prompts = [prompt(rng) for _ in range(n)]
        seeds = [rng.randrange(2**31) for _ in prompts]
        of_turn = [0.0, 0.0]
        answers: list[list[Completion]] = [[], []]
        others = Others()
        for which in (0, 1) if n_turns % 2 else (1, 0):
            answers[which], seconds = _run(engines[which], prompts, seeds, n_tokens)
            of_turn[which] = n * n_tokens / seconds
        if [a.tokens for a in answers[0]] != [a.tokens for a in answers[1]]:
            print(f"{name}: the texts differ", file=sys.stderr)
        if others.share() > _MOST_OF_OTHERS:
            continue
        n_drafted += sum(a.finish.usage.n_drafted for a in answers[1])
        n_accepted += sum(a.finish.usage.n_accepted for a in answers[1])
        for speed, value in zip(speeds, of_turn, strict=True):
            speed.append(value)
        ratios.append(of_turn[1] / of_turn[0])
    if not ratios:
        print(f"| {name} | the processors were never free |", flush=True)
        return
    without, with_guesses = (statistics.median(speed) for speed in speeds)
    print(
        f"| {name} | {without:.1f} | {with_guesses:.1f} | {statistics.median(ratios):.2f}"
        f" ({min(ratios):.2f} to {max(ratios):.2f}) | {n_accepted} of {n_drafted} |",
        flush=True,
    )


class Others:
    """What other programs take of the processors, from now on."""

    def __init__(self) -> None:
        self.before = self._seconds()

    def share(self) -> float:
        wall, all_s, own_s = (
            now - then for now, then in zip(self._seconds(), self.before, strict=True)
        )
        return (all_s - own_s) / wall / (os.cpu_count() or 1)

    @staticmethod
    def _seconds() -> tuple[float, float, float]:
        user, nice, system, *_ = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
        own = os.times()
        ticks = os.sysconf("SC_CLK_TCK")
        return (
            time.perf_counter(),
            (int(user) + int(nice) + int(system)) / ticks,
            own.user + own.system,
        )


def _run(
    engine: LLM, prompts: list[list[int]], seeds: list[int], n_tokens: int
) -> tuple[list[Completion], float]:
    """The answers, and the seconds from the first token of the last that began to the end."""
    requests: list[str | list[int] | Request] = [
        Request(
            prompt=p,
            max_tokens=n_tokens,
            ignore_eos=True,
            cache_prompt=False,
            sampling=Sampling(seed=seed, top_k=2),
        )
        for p, seed in zip(prompts, seeds, strict=True)
    ]
    began = time.perf_counter()
    answers = engine.generate(requests)
    took = time.perf_counter() - began
    # Reading the prompts is the same work in both and none of the question.
    prefill = max(a.finish.usage.queued_s + a.finish.usage.prefill_s for a in answers)
    return answers, took - prefill


if __name__ == "__main__":
    sys.exit(main())
