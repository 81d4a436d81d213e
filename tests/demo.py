"""What `make serve` shows until there is a server: a model written here answers a prompt."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.models import write_demo


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        model = write_demo(Path(folder) / "demo.gguf")
        print(f'$ python -m jan_engine {model} "Hello?"', flush=True)
        command = [sys.executable, "-m", "jan_engine", str(model), "Hello?"]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
