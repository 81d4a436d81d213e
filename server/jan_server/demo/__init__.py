"""The model that comes with the package: an answer where there is no other, and no network.

`python -m bench.demo_model` trains it, from text that it writes itself.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["DEMO_FILE", "DEMO_ID"]

DEMO_ID = "jan-demo"
DEMO_FILE = Path(__file__).parent / "jan-demo.gguf"
