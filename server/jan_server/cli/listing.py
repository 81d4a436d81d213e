"""`jan list`: what is on this machine. Reads rows and asks the disk for nothing but presence."""

from __future__ import annotations

import argparse
import time

from jan_server.cli.store import read_models
from jan_server.cli.told import model_facts, print_json, print_table, size_text
from jan_server.home import home_folder, models_folder

__all__ = ["run"]

_AGES = (
    (86400 * 365, "year"),
    (86400 * 30, "month"),
    (86400, "day"),
    (3600, "hour"),
    (60, "minute"),
)


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="jan list", description="The models on this machine.")
    parser.add_argument("--json", action="store_true", help="every fact, for programs")
    asked = parser.parse_args(arguments)
    folder = models_folder(home_folder())
    models = read_models(folder)
    if asked.json:
        print_json([model_facts(model, folder) for model in models])
        return 0
    rows = [
        (
            model.id,
            model.quantization,
            size_text(model.n_bytes),
            _age(model.created_at) if model.is_here(folder) else "missing",
            ", ".join(model.aliases),
        )
        for model in models
    ]
    print_table(("NAME", "QUANT", "SIZE", "SINCE", "ALSO"), rows)
    return 0


def _age(moment: int) -> str:
    past_s = max(0, int(time.time()) - moment)
    for seconds, unit in _AGES:
        if (n := past_s // seconds) > 0:
            return f"{n} {unit}{'s' * (n > 1)} ago"
    return "just now"
