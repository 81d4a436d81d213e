"""`jan tune MODEL...`: settings for this machine, by measuring."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import msgspec

from jan_server.cli.say import say
from jan_server.cli.told import print_json

if TYPE_CHECKING:  # no verb should wait for the import of another's package
    from jan_bench.tune.proposal import Pace

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="jan tune",
        description="Measures a model on this machine for a minute and says how it should be "
        "served: threads, requests side by side, context and cache. Of several files, also which.",
    )
    parser.add_argument("model", nargs="+", help="a file, or a model's name")
    parser.add_argument(
        "--least-rate",
        type=float,
        default=8.0,
        metavar="TOKENS/S",
        help="that each request is to get at least; people read 5 to 8 (default: 8)",
    )
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--json", action="store_true", help="everything, for programs")
    kinds.add_argument(
        "--emit-config", action="store_true", help="lines for a file of settings (jan config path)"
    )
    parser.add_argument(
        "--apply", action="store_true", help="have the model loaded so from now on (jan set)"
    )
    asked = parser.parse_args(arguments)
    if not 0 < asked.least_rate < 1e6:
        parser.error(f"--least-rate: {asked.least_rate:g} is no rate")
    if asked.apply and len(asked.model) > 1:
        parser.error("--apply: to one model")
    from jan_bench.cli.verbs import status_of
    from jan_bench.tune.proposal import best_model
    from jan_bench.tune.trials import Tuned, tune
    from jan_engine.errors import EngineError
    from jan_server.cli.bench import find_model

    found: dict[str, Tuned] = {}
    try:
        for name in asked.model:
            say(f"{name}:" if len(asked.model) > 1 else "measuring...")
            path = find_model(name)
            found[name] = tune(path, least_rate=asked.least_rate, watch=_show)
    except EngineError as error:
        say(f"error: {error}")
        return status_of(error)
    best = best_model(
        {name: one.streams[0] for name, one in found.items()},
        {name: one.bits_per_weight for name, one in found.items()},
        {name: one.fits for name, one in found.items()},
        asked.least_rate,
    )
    proposal = found[best].proposal
    settings = proposal.settings()
    if asked.json:
        print_json({"best": best, "models": msgspec.to_builtins(found)})
    elif asked.emit_config:
        for name, value in settings.items():
            print(f"{name} = {value!r}".replace("'", '"'))
    else:
        for reason in proposal.reasons:
            print(f"- {reason}")
        flags = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in settings.items())
        print(f"\njan serve {best} {flags}")
    sys.stdout.flush()
    if not found[best].fits:
        return 4
    if asked.apply:
        from jan_server.cli.set import run as run_set

        return run_set([best, *(f"{name}={value}" for name, value in settings.items())])
    return 0


def _show(pace: Pace) -> None:
    say(
        f"  threads {pace.n_threads:2}, side by side {pace.n_streams:2}: "
        f"{pace.prompt:7.0f} tokens/s read, {pace.decode:7.1f} generated, {pace.each:6.1f} each"
    )
