"""llama-bench's table: its columns, its widths, and which of them it shows."""

from __future__ import annotations

from collections.abc import Iterable

from jan_bench.engine.grid import EngineGrid
from jan_bench.engine.row import TEXTS, Row
from jan_bench.engine.runs import EngineResult, spread

__all__ = ["MarkdownTable", "params_text", "size_text"]

_SHOWN_AS = {
    "n_gpu_layers": "ngl",
    "n_threads": "threads",
    "flash_attn": "fa",
}
_WIDTHS = {  # below 0: to the left
    "model": -30,
    "t/s": 20,
    "size": 10,
    "params": 10,
    "n_gpu_layers": 3,
    "n_threads": 7,
    "n_batch": 7,
    "n_ubatch": 8,
    "type_k": 6,
    "type_v": 6,
    "flash_attn": 3,
    "test": 15,
    "kernels": -10,
}
# Settings that a table shows when somebody set them, in llama-bench's order.
_SETTINGS = ("poll", "n_batch", "n_ubatch", "type_k", "type_v", "flash_attn")


class MarkdownTable:
    def __init__(self, grid: EngineGrid, backend: str) -> None:
        self.backend = backend
        on_processor = any(name in backend for name in ("CPU", "BLAS", "ZenDNN"))
        usual = EngineGrid(models=())
        self.columns = ["model", "size", "params", "backend"]
        if not on_processor:
            self.columns.append("n_gpu_layers")
        if on_processor or tuple(grid.n_threads) != tuple(usual.n_threads):
            self.columns.append("n_threads")
        for name in _SETTINGS:
            if tuple(getattr(grid, name)) != tuple(getattr(usual, name)):
                self.columns.append(name)
        if tuple(grid.jan_kernels) != tuple(usual.jan_kernels):
            self.columns.append("kernels")  # ours alone: llama-bench has no others
        self.columns += ["test", "t/s"]

    def head(self) -> str:
        names = (_padded(_SHOWN_AS.get(name, name), _width(name)) for name in self.columns)
        widths = [_width(name) for name in self.columns]
        rules = ("-" * (abs(width) - 1) + (":" if width > 0 else "-") for width in widths)
        return _line(names) + _line(rules)

    def row(self, result: EngineResult, fields: Row) -> str:
        mean, deviation = spread(result.samples_ts)
        values = {
            **fields,
            "model": result.model_type,
            "size": size_text(result.model_size),
            "params": params_text(result.model_n_params),
            "backend": self.backend,
            "kernels": "jan" if result.test.jan_kernels else "upstream",
            "test": result.test.name,
            "t/s": f"{mean:.2f} ± {deviation:.2f}",
        }
        return _line(_padded(values[name], _width(name)) for name in self.columns)


def size_text(n_bytes: int) -> str:
    if n_bytes < 2**30:
        return f"{n_bytes / 2**20:.2f} MiB"
    return f"{n_bytes / 2**30:.2f} GiB"


def params_text(n_params: int) -> str:
    return f"{n_params / 1e6:.2f} M" if n_params < 1e9 else f"{n_params / 1e9:.2f} B"


def _width(name: str) -> int:
    if name in _WIDTHS:
        return _WIDTHS[name]
    width = max(len(name), 10)
    return -width if name in TEXTS or name == "backend" else width


def _padded(text: str, width: int) -> str:
    return text.ljust(-width) if width < 0 else text.rjust(width)


def _line(cells: Iterable[str]) -> str:
    return "|" + "".join(f" {cell} |" for cell in cells) + "\n"
