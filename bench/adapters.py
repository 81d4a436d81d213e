"""python -m bench.adapters FAMILY: what low-rank adapters cost, and what turns between them cost.

Streams that decode side by side: all without adapters; all with one; half with it; and with as many
sets as are asked for.
Rounds are interleaved; ratios are to the round's streams without adapters.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bench.adapter_file import write_adapter
from bench.models import FAMILIES, model_path
from jan_engine import LLM, Adapter, EngineOptions, Model, Request

Scaled = tuple[tuple[Adapter, float], ...]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.adapters", description=__doc__)
    parser.add_argument("family", choices=sorted(FAMILIES))
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--sets", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    model = Model(model_path(args.family, "Q4_K_M"))
    options = EngineOptions(n_parallel=args.streams, n_ctx=512, speculation=False)
    with tempfile.TemporaryDirectory() as folder, LLM(model, options) as llm:
        shape = FAMILIES[args.family].shape
        files = [
            write_adapter(
                Path(folder) / f"{i}.gguf",
                shape,
                seed=i,
                rank=16,
                strength=0.01,
                numbers=np.float16,
            )
            for i in range(args.sets)
        ]
        sets: list[Scaled] = [((Adapter(model, file), 1.0),) for file in files]
        cases: Mapping[str, list[Scaled]] = {
            "none": [()],
            "one": sets[:1],
            "half of them one": [(), sets[0]],
            f"{args.sets} sets": sets,
        }
        found: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(args.rounds):
            for name, turns in cases.items():
                found[name].append(tokens_per_s(llm, turns, args.streams, args.tokens))
    base = found["none"]
    for name, values in found.items():
        ratios = [value / of for value, of in zip(values, base, strict=True)]
        print(f"{name:20} {statistics.median(values):8.1f} tokens/s", end="")
        print(f"  {statistics.median(ratios):.2f} of none ({min(ratios):.2f} to {max(ratios):.2f})")
    return 0


def tokens_per_s(llm: LLM, sets: list[Scaled], n_streams: int, n_tokens: int) -> float:
    requests = [
        Request(
            prompt=[1000 + i] * 8,
            max_tokens=n_tokens,
            ignore_eos=True,
            cache_prompt=False,
            adapters=sets[i % len(sets)],
        )
        for i in range(n_streams)
    ]
    begun_s = time.perf_counter()
    llm.generate(requests)
    return n_streams * n_tokens / (time.perf_counter() - begun_s)


if __name__ == "__main__":
    sys.exit(main())
