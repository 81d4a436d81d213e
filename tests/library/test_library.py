"""What is listed agrees with what is there, whoever changes it and whatever ends them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from jan_server.db.database import open_database
from jan_server.errors import ApiError
from jan_server.library.library import Library
from jan_server.library.records import StoredModel
from jan_server.library.source import read_source
from jan_server.library.tables import metadata

from tests import models
from tests.conftest import ROOT
from tests.library.hub import Hub, wait_for_bytes
from tests.library.test_download import in_library, listed, pull

MIGRATIONS = ROOT / "server/jan_server/library/migrations"

# A process that ends without a word at one point: argv is what to call, what to replace, HOME.
KILLED_AT = """
import asyncio, os, signal, sys
from pathlib import Path
from jan_server.library import folder, library, store
from jan_server.library.source import read_source
from jan_server.library.downloads import Download

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    opened = await library.open_library(Path(sys.argv[3]))
    owner, _, name = sys.argv[2].partition(".")
    setattr({"Store": store.Store, "ModelsFolder": folder.ModelsFolder}[owner], name, die)
    if sys.argv[1] == "remove":
        await opened.remove("a")
    else:
        pulled = await opened.pull(read_source("hf:owner/repo"))
        await pulled.done()

asyncio.run(main())
"""


def names(models: list[StoredModel]) -> list[str]:
    return [model.id for model in models]


async def link(library: Library, path: Path, model_id: str = "") -> StoredModel:
    model = await library.pull(read_source(str(path)), model_id=model_id)
    assert isinstance(model, StoredModel)
    return model


def test_a_file_is_linked_where_it_lies_and_stays_when_it_is_removed(
    home: Path, alphabet_path: Path
) -> None:
    async def work(library: Library) -> None:
        model = await link(library, alphabet_path, "abc")
        assert (model.id, model.placement) == ("abc", "linked")
        assert library.path(model) == alphabet_path
        assert await library.remove("abc") == "abc"
        assert await library.models() == []

    in_library(home, work)
    assert alphabet_path.exists()


def test_a_model_has_any_number_of_names_and_each_is_one_model(
    home: Path, alphabet_path: Path, random_path: Path
) -> None:
    async def work(library: Library) -> None:
        await link(library, alphabet_path, "abc")
        await link(library, random_path, "noise")
        await library.name("abc", "letters")
        await library.name("letters", "more/letters:v1")
        for name in ("abc", "letters", "more/letters:v1", str(alphabet_path)):
            assert (await library.get(name)).id == "abc"
        for taken in ("noise", "abc"):
            with pytest.raises(ApiError) as error:
                await library.name("abc", taken)
            assert error.value.status == 409
        assert await library.remove("letters") == "letters"
        assert (await library.get("abc")).aliases == ["more/letters:v1"]
        await library.remove("abc")
        assert await library.find("more/letters:v1") is None

    in_library(home, work)


@pytest.mark.parametrize("name", ["", " ", "-a", "a b", "a/start", "catalogs", "x" * 300, "é"])
def test_a_name_that_cannot_be_asked_for_is_refused(
    home: Path, alphabet_path: Path, name: str
) -> None:
    async def work(library: Library) -> None:
        await link(library, alphabet_path, "abc")
        with pytest.raises(ApiError) as error:
            await library.name("abc", name)
        assert error.value.status in (400, 409)

    if name:
        in_library(home, work)


def test_settings_of_a_model_are_kept_until_they_are_taken_back(
    home: Path, alphabet_path: Path
) -> None:
    async def work(library: Library) -> None:
        await link(library, alphabet_path, "abc")
        await library.set_settings("abc", {"ctx_size": 512, "parallel": 2})
        await library.set_settings("abc", {"parallel": None})
        for wrong in ({"api_key": "x"}, {"nothing": 1}, {"parallel": "many"}, {"parallel": 0}):
            with pytest.raises(ApiError) as error:
                await library.set_settings("abc", wrong)
            assert error.value.status == 400

    async def look(library: Library) -> None:
        assert (await library.get("abc")).settings == {"ctx_size": 512}

    in_library(home, work)
    in_library(home, look)


@pytest.mark.parametrize("content", [b"", b"GG", b"not a model", b"GGUF" + b"\xff" * 64])
def test_a_file_that_is_no_model_is_refused(home: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(content)

    async def work(library: Library) -> None:
        with pytest.raises(ApiError) as error:
            await link(library, path)
        assert error.value.status == 400
        with pytest.raises(ApiError) as error:
            await link(library, tmp_path / "missing.gguf")
        assert error.value.status == 404
        assert await library.models() == []

    in_library(home, work)


def test_a_folder_is_listed_without_a_copy_and_followed(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    (folder / "sub").mkdir(parents=True)
    models.write_alphabet(folder / "one.gguf")
    models.write_random(folder / "sub/two.gguf", n_parts=2)
    (folder / "broken.gguf").write_text("no model")

    async def work(library: Library) -> None:
        assert names(await library.register(str(folder))) == ["one", "two"]
        await library.name("one", "first")
        with pytest.raises(ApiError) as error:
            await library.remove("one")
        assert error.value.status == 409
        (folder / "one.gguf").rename(folder / "three.gguf")
        await library.scan()
        assert sorted(names(await library.models())) == ["three", "two"]
        folder.rename(tmp_path / "away")
        await library.scan()
        assert len(await library.models()) == 2
        (tmp_path / "away").rename(folder)
        await library.remove(str(folder))
        assert await library.models() == []

    in_library(home, work)
    assert len(list(folder.rglob("*.gguf"))) == 4


def test_the_cache_of_a_hub_is_read_where_it_lies(home: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "hub/models--owner--repo/snapshots/abc"
    snapshot.mkdir(parents=True)
    models.write_alphabet(snapshot / "a-Q8_0.gguf")

    async def work(library: Library) -> None:
        (model,) = await library.register(str(tmp_path / "hub"))
        assert (model.id, model.source) == ("a-Q8_0", "hf:owner/repo/a-Q8_0.gguf")
        # What is in the cache is not downloaded.
        assert await library.pull(read_source("hf:owner/repo/a-Q8_0.gguf")) == model

    in_library(home, work)


def test_ollamas_models_are_read_where_they_lie(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ollama"
    (folder / "blobs").mkdir(parents=True)
    digest = "ab" * 32
    models.write_alphabet(folder / f"blobs/sha256-{digest}")
    for owner, name, claimed in (
        ("library", "letters", f"sha256:{digest}"),
        ("library", "evil", "sha256:../../../etc/passwd"),
        ("me", "mine", f"sha256:{digest}"),
    ):
        manifest = folder / f"manifests/registry.ollama.ai/{owner}/{name}/latest"
        manifest.parent.mkdir(parents=True)
        layer = {"mediaType": "application/vnd.ollama.image.model", "digest": claimed}
        manifest.write_text(json.dumps({"layers": [layer, {"mediaType": "x", "digest": "y"}]}))

    async def work(library: Library) -> None:
        found = await library.register(str(folder))
        assert sorted(names(found)) == ["letters:latest", "me/mine:latest"]
        assert found[0].sha256 == digest

    in_library(home, work)


def killed(work: str, point: str, home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT, work, point, str(home)],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.unsanitized
@pytest.mark.parametrize(
    ("work", "point", "left"),
    [
        ("pull", "ModelsFolder.publish", []),  # everything is fetched, nothing moved
        ("pull", "Store.add", ["a"]),  # moved, without a row
        ("remove", "ModelsFolder.discard", ["a"]),
        ("remove", "Store.remove", []),  # out of sight, with a row
        ("remove", "ModelsFolder.empty_trash", []),
    ],
)
def test_a_killed_process_leaves_a_model_that_is_whole_or_gone(
    hub: Hub, home: Path, gguf_bytes: bytes, work: str, point: str, left: list[str]
) -> None:
    hub.add("owner/repo", "a.gguf", gguf_bytes)
    if work == "remove":
        pull(home, "hf:owner/repo")
    killed(work, point, home)

    async def look(library: Library) -> list[StoredModel]:
        return await library.models()

    found = in_library(home, look)
    assert names(found) == left
    assert all(
        (home / "models" / model.files[0].path).read_bytes() == gguf_bytes for model in found
    )
    assert not list((home / "models/trash").iterdir())
    n_fetched = len(hub.bodies())
    assert pull(home, "hf:owner/repo").path.read_bytes() == gguf_bytes
    assert len(hub.bodies()) == n_fetched + (left == [] and work == "remove")


@pytest.mark.unsanitized
def test_a_download_that_was_killed_goes_on(hub: Hub, home: Path, gguf_bytes: bytes) -> None:
    hub.add("owner/repo", "a.gguf", gguf_bytes)
    hub.hold.clear()
    process = subprocess.Popen(
        [sys.executable, "-m", "jan_server.cli.main", "pull", "-q", "hf:owner/repo"],
        env=dict(os.environ),
    )
    assert hub.stopped.wait(30)
    wait_for_bytes(home)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
    hub.hold.set()
    assert listed(home) == []
    assert pull(home, "hf:owner/repo").path.read_bytes() == gguf_bytes
    assert hub.bodies()[-1]["range"].startswith("bytes=")


def test_the_tables_are_what_the_migrations_make(tmp_path: Path) -> None:
    async def work(_library: Library) -> list[object]:
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        database = await open_database(tmp_path / "new.db", MIGRATIONS)
        try:
            async with database.reading() as connection:
                return await connection.run_sync(
                    lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)
                )
        finally:
            await database.close()

    assert in_library(tmp_path, work) == []


def test_a_database_of_a_newer_version_is_not_touched(home: Path) -> None:
    import sqlite3

    assert listed(home) == []
    with sqlite3.connect(home / "models/models.db") as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    connection.close()
    with pytest.raises(ApiError, match="newer version"):
        listed(home)


def test_what_one_process_adds_another_lists(home: Path, alphabet_path: Path) -> None:
    async def work(library: Library) -> None:
        async def other(other: Library) -> StoredModel:
            return await link(other, alphabet_path, "abc")

        import asyncio

        run: Callable[[Path, Callable[[Library], Awaitable[StoredModel]]], StoredModel] = in_library
        added = await asyncio.to_thread(run, home, other)
        (found,) = await library.models()
        assert msgspec.json.encode(found) == msgspec.json.encode(added)

    in_library(home, work)
