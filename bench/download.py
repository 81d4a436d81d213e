"""A large download over a connection that is cut: python -m bench.download [MB] [cuts]."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path

from jan_server.library.downloads import Download
from jan_server.library.library import open_library
from jan_server.library.source import read_source

from tests import models
from tests.library.hub import running_hub


async def pull(home: Path) -> str:
    library = await open_library(home)
    try:
        pulled = await library.pull(read_source("hf:bench/large"))
        assert isinstance(pulled, Download)
        return (await pulled.done()).sha256
    finally:
        await library.close()


def main(megabytes: int = 300, n_cuts: int = 5) -> None:
    with tempfile.TemporaryDirectory() as name, running_hub() as hub:
        os.environ["HF_ENDPOINT"] = hub.url
        small = models.write_alphabet(Path(name) / "a.gguf").read_bytes()
        content = small + os.urandom(megabytes * 1_000_000 - len(small))
        hub.add("bench/large", "large.gguf", content)
        hub.cut_after = [len(content) // (n_cuts + 1)] * n_cuts
        began_s = time.monotonic()
        found = asyncio.run(pull(Path(name) / "home"))
        took_s = time.monotonic() - began_s
        starts = [headers.get("range", "bytes=0-") for headers in hub.bodies()]
        print(f"{len(content)} bytes in {took_s:.1f} s, {hub.n_sent} sent, from {starts}")
        print("right" if found == hashlib.sha256(content).hexdigest() else "WRONG", found)


if __name__ == "__main__":
    main(*(int(one) for one in sys.argv[1:]))
