"""A server with several models, each of which says its name."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
from jan_server.config import Settings

from tests import models
from tests.server.running import Running, running

NAMES = ("one", "two", "three", "four")
WORDS = {name: f"{name}!" for name in NAMES}


def write_speakers(folder: Path) -> Path:
    for name, word in WORDS.items():
        first = models.FIRST_WORD
        models.write_scripted(
            folder / f"{name}.gguf", {first: models.EOS}, otherwise=first, words=[word]
        )
    return folder


@contextmanager
def pool_of(folder: Path, home: Path, **further: object) -> Generator[Running]:
    untold = Settings(
        home=str(home), models_dir=(str(folder),), parallel=2, ctx_size=256, threads=1
    )
    with running(msgspec.structs.replace(untold, **further)) as server:
        yield server


def ask(server: Running, name: str, **further: object) -> httpx.Response:
    return server.post("/v1/completions", {"model": name, "prompt": "Who?", **further})


def loaded(server: Running) -> list[str]:
    return [one["id"] for one in server.get("/v1/models?loaded=true").json()["data"]]


def state(server: Running, name: str) -> str:
    return str(server.get(f"/v1/models/{name}").json()["state"])


def wait_for(is_so: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.005)
