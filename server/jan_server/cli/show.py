"""`jan show MODEL`: all that its file and its row say."""

from __future__ import annotations

import argparse
from datetime import datetime

from jan_server.cli.say import say
from jan_server.cli.store import read_model
from jan_server.cli.told import model_facts, print_json, size_text
from jan_server.home import home_folder, models_folder

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="jan show", description="All that is known of a model.")
    parser.add_argument("model", help="its name")
    parser.add_argument(
        "--template", action="store_true", help="its chat template, and nothing else"
    )
    parser.add_argument("--json", action="store_true", help="every fact, for programs")
    asked = parser.parse_args(arguments)
    folder = models_folder(home_folder())
    model = read_model(folder, asked.model)
    if model is None:
        say(f"error: There is no model '{asked.model}'")
        return 3
    if asked.json:
        print_json(model_facts(model, folder))
        return 0
    if asked.template:
        print(model.chat_template)
        return 0
    told = {
        "id": model.id,
        "also": ", ".join(model.aliases),
        "name": model.name,
        "description": model.description,
        "author": model.author,
        "license": model.license,
        "architecture": model.architecture,
        "parameters": _count_text(model.n_params),
        "quantization": f"{model.quantization}, {model.bits_per_weight:g} bits per weight",
        "trained for": f"{model.n_ctx_train} tokens",
        "chat template": f"{len(model.chat_template)} characters"
        if model.chat_template
        else "none",
        "settings": ", ".join(f"{name}={value}" for name, value in model.settings.items()),
        "source": model.shown_source,
        "since": datetime.fromtimestamp(model.created_at).astimezone().isoformat(" ", "minutes"),
        "size": size_text(model.n_bytes),
    }
    for name, text in told.items():
        if text:
            print(f"{name:<14} {text}")
    for file in model.files:
        print(f"{'file':<14} {folder / file.path}")
        if file.sha256:
            print(f"{'sha256':<14} {file.sha256}")
    return 0


def _count_text(n_params: int) -> str:
    if not n_params:
        return ""
    return f"{n_params / 1e9:.2f} B" if n_params >= 1e8 else f"{n_params / 1e6:.2f} M"
