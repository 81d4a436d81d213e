"""`jan bench`: jan_bench's verbs, to which models have the names they have here."""

from __future__ import annotations

from pathlib import Path

__all__ = ["find_model", "run"]


def run(arguments: list[str]) -> int:
    from jan_bench.cli.verbs import run as run_verb

    return run_verb(arguments, find_model)


def find_model(name: str) -> Path:
    path = Path(name).expanduser()
    if path.exists():
        return path
    from jan_server.cli.store import read_model
    from jan_server.demo import DEMO_FILE, DEMO_ID
    from jan_server.home import home_folder, models_folder

    folder = models_folder(home_folder())
    model = read_model(folder, name)
    if model is not None:
        return model.path(folder)
    return DEMO_FILE if name == DEMO_ID else path
