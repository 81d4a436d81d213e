"""python -P -m jan_engine.trial FOLDER VARIANT MODEL: compute with one CPU variant, or end by it.

The child process of cpu_variant.py. Its status is 0 where every pass was computed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from jan_engine import backend
from jan_engine.model import Model
from jan_engine.runner import GreedyRunner

__all__ = ["main"]

_N_PROMPT = 40  # tokens: products of one column, of a few, and of many are computed by other code


def main(folder: str, variant: str, path: str) -> int:
    backend.load_only(Path(folder), variant)
    for matrix_kernels in (True, False):
        model = Model(path, matrix_kernels=matrix_kernels, n_gpu_layers=0)
        for flash_attention in (True, False):
            runner = GreedyRunner(model, n_ctx=64, n_threads=2, flash_attention=flash_attention)
            for n_prompt in (_N_PROMPT, 2):
                for _ in runner.generate([2] * n_prompt, 2):
                    pass
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
