"""python -m jan_engine MODEL "prompt": greedy text on stdout, what it cost on stderr."""

from __future__ import annotations

import argparse
import os
import sys
import time

from jan_engine import EngineError, GreedyRunner, Model, devices


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m jan_engine", description=__doc__)
    parser.add_argument("model", help="a GGUF file")
    parser.add_argument("prompt", help="the text to continue")
    parser.add_argument("-n", "--max-tokens", type=int, default=128)
    parser.add_argument("-c", "--ctx", type=int, default=4096, help="context in tokens")
    parser.add_argument("-t", "--threads", type=int, default=0, help="0: one per physical core")
    args = parser.parse_args()
    try:
        model = Model(args.model, on_progress=_loading if sys.stderr.isatty() else None)
        n_ctx = min(args.ctx, model.facts.n_ctx_train)
        runner = GreedyRunner(model, n_ctx=n_ctx, n_threads=args.threads)
        _answer(runner, model, args.prompt, args.max_tokens)
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read stdout has gone; so has the reason to go on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _answer(runner: GreedyRunner, model: Model, prompt: str, max_tokens: int) -> None:
    tokens = model.tokenize(prompt, parse_special=True)
    n_made, first_at = 0, 0.0
    started = time.perf_counter()
    for token in runner.generate(tokens, max_tokens):
        first_at = first_at or time.perf_counter()
        n_made += 1
        sys.stdout.buffer.write(model.piece(token))  # bytes: a token may be half a character
        sys.stdout.buffer.flush()
    ended = time.perf_counter()
    sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
    print(
        f"{model.facts.description} on {devices()[0].description}: "
        f"prompt {len(tokens)} tokens in {(first_at or ended) - started:.3f} s, "
        f"then {_rate(n_made - 1, ended - first_at)}",
        file=sys.stderr,
    )


def _rate(n_tokens: int, seconds: float) -> str:
    return f"{n_tokens / seconds:.1f} tokens/s" if n_tokens > 0 and seconds > 0 else "nothing"


def _loading(fraction: float) -> None:
    print(f"\rloading {fraction:4.0%}", end="\r\033[K" if fraction >= 1 else "", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
