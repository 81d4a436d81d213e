"""`jan pull SOURCE`: get a model. Data on stdout, progress on stderr."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from jan_server.cli.pull_progress import shown
from jan_server.cli.say import say
from jan_server.cli.told import model_facts, print_json
from jan_server.cli.verb import with_library
from jan_server.library.downloads import Download
from jan_server.library.library import Library, open_library
from jan_server.library.records import StoredModel
from jan_server.library.source import LocalSource, Source, read_source

__all__ = ["fetched", "run"]

_FOLDERS = ("huggingface", "ollama")


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="jan pull",
        description="Get a model. What was received stays when it is interrupted: ask again.",
        epilog="HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are heeded.",
    )
    parser.add_argument(
        "source",
        help="hf:OWNER/REPO[:QUANT], hf:OWNER/REPO/FILE.gguf, an https address, a file; or a "
        "folder whose models are then listed too: a path, huggingface or ollama",
    )
    parser.add_argument("--id", default="", help="what to call it; its file's name otherwise")
    parser.add_argument("--sha256", default="", help="refuse a file with another one")
    parser.add_argument("--mmproj", action="store_true", help="get what reads images for it too")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    parser.add_argument("--json", action="store_true", help="what came of it, for programs")
    asked = parser.parse_args(arguments)

    is_folder = asked.source in _FOLDERS or Path(asked.source).expanduser().is_dir()

    async def pull(library: Library) -> int:
        if is_folder:
            return _tell(await library.register(asked.source), library.root, json=asked.json)
        source = read_source(asked.source)
        pulled = await library.pull(
            source, model_id=asked.id, sha256=asked.sha256, with_projector=asked.mmproj
        )
        if isinstance(pulled, Download):
            quiet = asked.quiet or bool(os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS"))
            pulled = await _watched(pulled, quiet=quiet)
        elif not asked.json:
            say("linked where it lies" if isinstance(source, LocalSource) else "already here")
        return _tell([pulled], library.root, json=asked.json)

    return with_library(pull)


def _tell(models: list[StoredModel], root: Path, *, json: bool) -> int:
    if json:
        print_json([model_facts(model, root) for model in models])
    else:
        for model in models:
            print(model.id)
    return 0


def fetched(source: Source, home: Path) -> StoredModel:
    """For `jan serve`, which needs it before anything else. Raises ApiError."""

    async def work() -> StoredModel:
        library = await open_library(home)
        try:
            pulled = await library.pull(source)
            return await _watched(pulled, quiet=False) if isinstance(pulled, Download) else pulled
        finally:
            await library.close()

    return asyncio.run(work())


async def _watched(download: Download, *, quiet: bool) -> StoredModel:
    """Ctrl-C cancels it, and what was received stays. Raises what it failed with."""
    interrupted = False

    def on_signal() -> None:
        nonlocal interrupted
        interrupted = True
        download.cancel()

    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, on_signal)
    done = asyncio.create_task(download.done())
    with shown(quiet=quiet) as show:
        while not (await asyncio.wait({done}, timeout=0.2))[0]:
            show(download.progress())
        show(download.progress())
    if interrupted:
        with suppress(Exception):
            await done
        raise KeyboardInterrupt
    return await done
