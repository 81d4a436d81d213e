"""What `make serve` serves: a model written here that knows one sentence."""

import sys
import tempfile
from pathlib import Path

from jan_server.cli.main import main as jan

from tests.models import write_demo


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        model = write_demo(Path(folder) / "demo.gguf")
        return jan(["serve", str(model), *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
