"""The verbs of `jan bench`, and what they share: errors as one line and a status."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path

from jan_bench.cli.named_model import FindModel
from jan_engine.errors import EngineError, InvalidRequest, ModelNotFound, OutOfMemory, Unavailable

__all__ = ["VERBS", "run", "status_of"]

VERBS = {  # verb -> (module of jan_bench.cli with a function `run`, help)
    "engine": ("engine", "how fast a model reads and generates: llama-bench's tests"),
    "quality": ("quality", "how much quantised models have lost: perplexity and divergence"),
    "serve": ("serve", "a server under load, as its callers see it"),
    "compare": ("compare", "whether results differ, and how sure that is"),
    "sweep": ("sweep", "which settings of a server are worth having"),
    "plot": ("plot", "results as pictures, and as one page to send"),
    "peers": ("peers", "our server beside llama.cpp's own, in a checkout"),
    "here": ("here", "what every result records of this machine, this build and these models"),
}


def run(arguments: list[str], find_model: FindModel = Path) -> int:
    """2 for what was asked wrongly, 3 where there is no such model, 4 where there is no room."""
    parser = argparse.ArgumentParser(
        prog="jan bench", description="Measures models, engines and servers."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="WHAT")
    for verb, (_, text) in VERBS.items():
        verbs.add_parser(verb, help=text, add_help=False)
    chosen, rest = parser.parse_known_args(arguments)
    run_verb = import_module(f"jan_bench.cli.{VERBS[chosen.verb][0]}").run
    try:
        status: int = run_verb(rest, find_model)
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return status_of(error)
    except BrokenPipeError:  # whoever read stdout has gone; so has the reason to go on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def status_of(error: EngineError) -> int:
    if isinstance(error, InvalidRequest):
        return 2
    if isinstance(error, ModelNotFound):
        return 3
    return 4 if isinstance(error, OutOfMemory | Unavailable) else 1
