"""python -m bench.neighbours MODEL: what decoding is worth while other processes want every core.

One model in three engines, which take turns, without neighbours and with:

    default     all cores, fewer workers while that pays
    all cores   every pass computed by all of them, whatever the neighbours do
    one thread  the measure: what one worker gives beside them

Neighbours are busy loops of the same priority. Each engine has a short turn of its own before it is
timed, as a server has that serves; medians of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager

from jan_engine import LLM, EngineOptions, Model, Request

PROMPT = "The history of the city begins with a small settlement by the river."
LOOP = "while True: pass"
ENGINES = {
    "default": EngineOptions(n_parallel=1, n_ctx=1024),
    "all cores": EngineOptions(n_parallel=1, n_ctx=1024, adapt_threads=False),
    "one thread": EngineOptions(n_parallel=1, n_ctx=1024, n_threads=1),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.neighbours",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="a GGUF file")
    parser.add_argument("--neighbours", type=int, default=8, help="busy loops; default 8")
    parser.add_argument("--tokens", type=int, default=128, help="of a turn; default 128")
    parser.add_argument("--rounds", type=int, default=5, help="of turns; default 5")
    parser.add_argument(
        "--held-up", type=int, default=8, help="tokens of a turn of all cores beside neighbours"
    )
    args = parser.parse_args()
    model = Model(args.model)
    engines = {name: LLM(model, options) for name, options in ENGINES.items()}
    print("| neighbours | engine | tokens/s | of one thread | workers |")
    print("| --- | --- | ---: | ---: | ---: |")
    for n_neighbours in (0, args.neighbours):
        speeds: dict[str, list[float]] = {name: [] for name in engines}
        with _neighbours(n_neighbours):
            for _ in range(args.rounds):
                for name, engine in engines.items():
                    held_up = n_neighbours > 0 and name == "all cores"
                    n_tokens = args.held_up if held_up else args.tokens
                    _speed(engine, max(4, n_tokens // 4))
                    speeds[name].append(_speed(engine, n_tokens))
        one = statistics.median(speeds["one thread"])
        for name, engine in engines.items():
            speed = statistics.median(speeds[name])
            workers = engine.core.stats()["n_decode_workers"]
            print(f"| {n_neighbours} | {name} | {speed:.1f} | {speed / one:.2f} | {workers} |")
    for engine in engines.values():
        engine.close()
    return 0


def _speed(engine: LLM, n_tokens: int) -> float:
    request = Request(
        prompt=PROMPT, max_tokens=n_tokens, ignore_eos=True, cache_prompt=False, speculate=False
    )
    began_s = time.perf_counter()
    engine.generate([request])
    return n_tokens / (time.perf_counter() - began_s)


@contextmanager
def _neighbours(n: int) -> Generator[None]:
    # In sessions of their own: they may have their share of the cores by session.
    loops = [
        subprocess.Popen([sys.executable, "-c", LOOP], start_new_session=True) for _ in range(n)
    ]
    try:
        time.sleep(0.5)
        yield
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()


if __name__ == "__main__":
    sys.exit(main())
