"""Disks that are full, or that nobody may write to: what can be read is served."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from jan_server.cli.main import main
from jan_server.config import Settings
from jan_server.inference.served_model import ServedModel

from jan_engine import AsyncEngine, Model
from tests.library.origin import content, running_origin
from tests.library.test_download import listed, pull
from tests.server.running import Running, running
from tests.server.several import ask, pool_of, wait_for
from tests.small_disk import SmallDisk, small_disk


@pytest.fixture
def disk(
    tmp_path: Path, alphabet_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SmallDisk]:
    """Of 80 MB, with a model "a" that was pulled."""
    monkeypatch.setenv("JAN_HOME", str(tmp_path / "disk"))
    with small_disk(tmp_path / "disk", 80) as disk:
        with running_origin() as origin:
            origin.answers = {"/a.gguf": content(alphabet_path.read_bytes())}
            pull(disk.root, origin.url + "/a.gguf")
        yield disk


def settings(disk: SmallDisk) -> Settings:
    return Settings(home=str(disk.root), threads=1, parallel=1, ctx_size=256)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def ids(server: Running) -> list[str]:
    return [one["id"] for one in server.get("/v1/models").json()["data"]]


def link(server: Running, path: Path, name: str) -> httpx.Response:
    return server.post("/v1/models", {"source_url": str(path), "id": name})


def test_a_disk_that_fills_while_the_server_runs(disk: SmallDisk, random_path: Path) -> None:
    with running(settings(disk)) as server:
        assert ask(server, "a", max_tokens=1).status_code == 200
        disk.fill()
        assert code(link(server, random_path, "noise")) == (507, "disk_full")
        assert ids(server) == ["a"]
        assert server.client.delete("/v1/models/a?force=true").json()["deleted"]
        assert ids(server) == []
        assert disk.free > 0
        assert link(server, random_path, "noise").status_code == 200


def test_a_server_on_a_full_disk_serves_what_is_there_and_can_make_room(
    disk: SmallDisk, random_path: Path
) -> None:
    disk.fill()
    with running(settings(disk)) as server:
        assert server.get("/readyz").status_code == 200
        assert ask(server, "a", prompt="a", max_tokens=2).json()["choices"][0]["text"] == "bc"
        assert code(link(server, random_path, "noise")) == (507, "disk_full")
        assert server.client.delete("/v1/models/a?force=true").json()["deleted"]
        assert link(server, random_path, "noise").status_code == 200
    disk.empty()
    assert listed(disk.root) == ["noise"]


def test_a_home_that_nobody_may_write_to_is_served(
    disk: SmallDisk, speakers: Path, random_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk.set_writable(False)
    with pool_of(speakers, disk.root) as server:
        assert server.get("/readyz").status_code == 200
        assert "a" in ids(server)
        for name in ("a", "one"):  # also what lies in a folder that could not be noted down
            assert ask(server, name, max_tokens=1).status_code == 200
        assert code(link(server, random_path, "noise")) == (507, "disk_full")
        refused = server.client.delete("/v1/models/a?force=true")
        assert code(refused) == (507, "disk_full")
        assert ask(server, "a", max_tokens=1).status_code == 200
    assert main(["list"]) == 0
    assert "a" in capsys.readouterr().out.split()
    assert main(["rm", "nothing"]) == 3
    assert "There is no model" in capsys.readouterr().err
    assert main(["rm", "a"]) == 1
    assert "read and not changed" in capsys.readouterr().err


def test_an_empty_home_that_nobody_may_write_to_has_no_models(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        disk.set_writable(False)
        with running(settings(disk)) as server:
            assert ids(server) == []
            assert server.get("/readyz").status_code == 200


def test_a_library_that_cannot_be_opened_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/models.db").write_bytes(
        b"no database, and longer than a header of one" * 50
    )
    with running(Settings(home=str(tmp_path), threads=1), wait=False) as server:
        assert server.get("/readyz").status_code == 503
        assert code(server.get("/v1/models")) == (500, "no_store")
        assert server.get("/readyz").status_code == 503
        assert "cannot be opened" in str(server.pool.failure)


def test_a_folder_that_cannot_be_looked_into_is_why_nothing_is_served(tmp_path: Path) -> None:
    unreadable = Settings(home=str(tmp_path), models_dir=("x" * 300,), threads=1)
    with running(unreadable, wait=False) as server:
        wait_for(lambda: server.pool.failure is not None, "it never failed")
        assert server.get("/readyz").status_code == 503


def test_rows_of_a_process_that_was_killed_are_read_where_nothing_can_be_written(
    disk: SmallDisk,
) -> None:
    """They are in a file beside the database that only a writer could move into it."""
    database = disk.root / "models/models.db"
    writer = sqlite3.connect(database)
    writer.execute("update model set id = 'renamed'")
    writer.commit()
    disk.fill()
    assert listed(disk.root) == ["renamed"]
    writer.close()


def test_a_server_is_not_ready_before_its_pinned_models_are(
    speakers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_load, is_loading = threading.Event(), threading.Event()
    load = ServedModel._open  # pyright: ignore[reportPrivateUsage]

    def wait_and_load(served: ServedModel) -> tuple[Model, AsyncEngine | None]:
        is_loading.set()
        assert may_load.wait(60)
        return load(served)

    monkeypatch.setattr(ServedModel, "_open", wait_and_load)
    pinning = Settings(
        home=str(tmp_path), models_dir=(str(speakers),), pin=("one",), threads=1, ctx_size=256
    )
    with running(pinning, wait=False) as server:
        try:
            assert is_loading.wait(30)
            assert server.get("/health").status_code == 200
            assert server.get("/readyz").status_code == 503
        finally:
            may_load.set()
        assert server.client.put("/v1/models/one/start").status_code == 200
        wait_for(lambda: server.get("/readyz").status_code == 200, "it never got ready")
