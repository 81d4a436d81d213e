"""What `jan doctor MODEL` tells of a model: which kernels compute with which of its weights."""

from __future__ import annotations

from typing import Any

import msgspec

from jan_engine import Model
from jan_engine.weight_kernels import kernel_shares, weight_uses
from jan_server.cli.bench import find_model
from jan_server.cli.told import print_table, size_text

__all__ = ["model_kernels", "print_kernels"]


def model_kernels(name: str, *, matrix_kernels: bool) -> dict[str, Any]:
    """Loads it and runs a few tokens. Raises EngineError."""
    path = find_model(name)
    model = Model(path, matrix_kernels=matrix_kernels)
    uses = weight_uses(model)
    return {
        "path": str(path),
        "description": model.facts.description,
        "shares": msgspec.to_builtins(kernel_shares(uses)),
        "weights": [{**msgspec.to_builtins(use), "kernels": use.kernels} for use in uses],
    }


def print_kernels(told: dict[str, Any]) -> None:
    print(f"\n{told['description']}, {told['path']}")
    rows = [
        (
            one["type"],
            one["purpose"],
            str(one["n_weights"]),
            size_text(one["n_bytes"]),
            f"{one['share']:.1%}",
            one["kernels"],
            one["buffer"],
        )
        for one in told["shares"]
    ]
    print_table(("TYPE", "FOR", "WEIGHTS", "SIZE", "SHARE", "KERNELS", "LIES IN"), rows)
