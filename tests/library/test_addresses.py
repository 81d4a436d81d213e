"""Plain addresses: which are the same, what is checked of them, and where they may lead."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from jan_server.errors import ApiError
from jan_server.library import transfer
from jan_server.library.downloads import Download
from jan_server.library.library import Library
from jan_server.library.records import StoredModel
from jan_server.library.source import read_source

from tests import models
from tests.library.origin import Origin, content, endless, running_origin, status
from tests.library.test_download import in_library, pull, refused
from tests.small_disk import small_disk


@pytest.fixture
def origin() -> Iterator[Origin]:
    with running_origin() as origin:
        yield origin


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_LONGEST_WAIT_S", 0.01)


@pytest.fixture(scope="module")
def other_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return models.write_random(tmp_path_factory.mktemp("gguf") / "random.gguf").read_bytes()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def pulled(library: Library, source: str, **further: str) -> StoredModel:
    model = await library.pull(read_source(source), **further)  # type: ignore[arg-type]
    return await model.done() if isinstance(model, Download) else model


def test_another_query_is_another_model(
    origin: Origin, home: Path, gguf_bytes: bytes, other_bytes: bytes
) -> None:
    origin.answers = {"/dl?id=1": content(gguf_bytes), "/dl?id=2": content(other_bytes)}
    address = origin.url + "/dl"

    async def work(library: Library) -> None:
        one = await pulled(library, address + "?id=1", model_id="one")
        assert (await library.get(address)).id == "one"  # as long as there is no other
        two = await pulled(library, address + "?id=2", model_id="two")
        assert [one.sha256, two.sha256] == [digest(gguf_bytes), digest(other_bytes)]
        assert (await pulled(library, address + "?id=2")).id == "two"  # it is here
        assert (await library.get(address + "?id=1")).id == "one"
        assert [m.shown_source for m in await library.models()] == [address] * 2
        with pytest.raises(ApiError):
            await library.get(address)

    in_library(home, work)
    assert origin.asked == ["/dl?id=1", "/dl?id=2"]


def test_what_is_left_of_another_query_is_not_gone_on_with(
    origin: Origin, home: Path, gguf_bytes: bytes, other_bytes: bytes
) -> None:
    origin.answers = {"/dl?id=1": content(other_bytes[:1000]), "/dl?id=2": content(gguf_bytes)}
    with pytest.raises(ApiError):
        pull(home, origin.url + "/dl?id=1")
    assert pull(home, origin.url + "/dl?id=2").path.read_bytes() == gguf_bytes


def test_a_model_that_was_kept_without_its_query_stays_what_it_is(
    origin: Origin, home: Path, gguf_bytes: bytes
) -> None:
    """As libraries before had it."""
    origin.answers = {"/a.gguf": content(gguf_bytes)}
    pull(home, origin.url + "/a.gguf")
    assert pull(home, origin.url + "/a.gguf").model.id == "a"
    assert origin.asked == ["/a.gguf"]


def test_a_hash_is_checked_of_a_model_that_is_here(
    origin: Origin, home: Path, gguf_bytes: bytes, alphabet_path: Path
) -> None:
    origin.answers = {"/a.gguf": content(gguf_bytes)}
    right = {
        origin.url + "/a.gguf": digest(gguf_bytes),
        str(alphabet_path): digest(alphabet_path.read_bytes()),
    }

    async def work(library: Library) -> None:
        await pulled(library, origin.url + "/a.gguf")
        await pulled(library, str(alphabet_path), model_id="linked")
        for source, sha256 in right.items():
            await pulled(library, source, sha256=sha256)
            with pytest.raises(ApiError) as error:
                await pulled(library, source, sha256="0" * 64)
            told = error.value
            assert (told.status, told.code, told.param) == (409, "hash_mismatch", "sha256")

    in_library(home, work)


@pytest.mark.parametrize("first", ["", "0" * 64])
def test_a_hash_is_checked_by_whoever_joins(
    origin: Origin, home: Path, gguf_bytes: bytes, first: str
) -> None:
    origin.answers = {"/a.gguf": content(gguf_bytes)}
    source = read_source(origin.url + "/a.gguf")

    async def work(library: Library) -> None:
        running = await library.pull(source, sha256=first)
        joining = asyncio.create_task(pulled(library, origin.url + "/a.gguf", sha256="1" * 64))
        with pytest.raises(ApiError) as error:
            await joining
        assert error.value.code == "hash_mismatch"
        assert isinstance(running, Download)
        with pytest.raises(ApiError):
            await running.done()
        assert await library.models() == []

    in_library(home, work)


def test_a_redirect_to_another_service_of_this_machine_is_not_followed(
    origin: Origin, home: Path, gguf_bytes: bytes
) -> None:
    with running_origin() as hidden:
        hidden.answers = {"/a.gguf": content(gguf_bytes)}
        origin.answers = {"/a.gguf": status(302, Location=hidden.url + "/a.gguf")}
        error = refused(home, origin.url + "/a.gguf")
        assert (error.status, error.code) == (502, "download_failed")
        assert hidden.asked == []


@pytest.mark.parametrize(
    "to",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/a.gguf",
        "https://[::ffff:10.0.0.1]/a.gguf",
        "https://192.168.0.1/a.gguf",
        "http://93.184.216.34/a.gguf",
        "ftp://93.184.216.34/a.gguf",
        "file:///etc/passwd",
    ],
)
def test_a_redirect_is_looked_at_before_it_is_followed(
    origin: Origin, home: Path, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[object] = []
    create = httpx2.HTTPTransport.handle_request

    def watch(self: httpx2.HTTPTransport, request: httpx2.Request) -> object:
        connected.append(request.url.host)
        return create(self, request)

    monkeypatch.setattr(httpx2.HTTPTransport, "handle_request", watch)
    origin.answers = {"/a.gguf": status(302, Location=to)}
    error = refused(home, origin.url + "/a.gguf")
    assert (error.status, error.code) == (502, "download_failed")
    assert connected == ["127.0.0.1"]


def test_a_redirect_within_the_named_server_is_followed(
    origin: Origin, home: Path, gguf_bytes: bytes
) -> None:
    elsewhere = origin.url.replace("127.0.0.1", "localhost")
    origin.answers = {
        "/a.gguf": status(302, Location="/b"),
        "/b": status(307, Location=elsewhere + "/c.gguf"),
        "/c.gguf": content(gguf_bytes),
    }
    assert pull(home, origin.url + "/a.gguf").path.read_bytes() == gguf_bytes


def test_a_redirect_without_end_is_the_other_servers_fault(origin: Origin, home: Path) -> None:
    origin.answers = {"/a.gguf": status(302, Location="/a.gguf")}
    error = refused(home, origin.url + "/a.gguf")
    assert (error.status, error.code) == (502, "download_failed")


@pytest.mark.parametrize("after", ["²", "-1", "1e999", "9" * 5000, "soon"])
def test_a_wait_that_is_no_number_is_the_other_servers_fault(
    origin: Origin, home: Path, after: str
) -> None:
    origin.answers = {"/a.gguf": status(503, Retry_After=after)}
    error = refused(home, origin.url + "/a.gguf")
    assert (error.status, error.code) == (502, "download_failed")


def test_nothing_of_a_foreign_file_is_in_a_message(
    origin: Origin, home: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("TOPSECRET")
    origin.answers = {"/secret": content(b"TOPSECRET")}
    for source in (origin.url + "/secret", str(secret)):
        error = refused(home, source)
        assert error.code == "not_gguf"
        assert "TOP" not in error.message


def test_a_file_without_an_end_does_not_fill_the_disk(origin: Origin, tmp_path: Path) -> None:
    origin.answers = {"/a.gguf": endless(b"GGUF")}
    with small_disk(tmp_path / "disk", 100) as disk:
        free = disk.free
        error = refused(disk.root, origin.url + "/a.gguf")
        assert (error.status, error.code) == (507, "disk_full")
        assert disk.free > free - 2 * 1024 * 1024  # nothing of it is left
        assert [path for path in disk.root.rglob("*.gguf") if path.stat().st_size] == []
