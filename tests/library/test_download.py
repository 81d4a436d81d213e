"""Downloads from a hub and from plain addresses, over networks that fail."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import httpx2
import pytest
from jan_server.errors import ApiError
from jan_server.library import transfer
from jan_server.library.downloads import Download
from jan_server.library.library import Library, open_library
from jan_server.library.progress import Progress
from jan_server.library.records import StoredModel
from jan_server.library.source import read_source

from tests.library.hub import Hub

T = TypeVar("T")


def in_library(
    home: Path,
    work: Callable[[Library], Awaitable[T]],
    tell: Callable[[Progress], None] = lambda _progress: None,
) -> T:
    async def run() -> T:
        library = await open_library(home, tell)
        try:
            return await work(library)
        finally:
            await library.close()

    return asyncio.run(run())


class Pulled(NamedTuple):
    model: StoredModel
    path: Path
    told: list[Progress]


def pull(home: Path, source: str, *, model_id: str = "", sha256: str = "") -> Pulled:
    told: list[Progress] = []

    async def work(library: Library) -> Pulled:
        pulled = await library.pull(read_source(source), model_id=model_id, sha256=sha256)
        model = await pulled.done() if isinstance(pulled, Download) else pulled
        assert [one.id for one in await library.models()] == [model.id]
        return Pulled(model, library.path(model), told)

    return in_library(home, work, told.append)


def listed(home: Path) -> list[str]:
    async def work(library: Library) -> list[str]:
        return [model.id for model in await library.models()]

    return in_library(home, work)


def refused(home: Path, source: str, **further: str) -> ApiError:
    """Why a source is not pulled. It leaves nothing that is listed."""
    with pytest.raises(ApiError) as error:
        pull(home, source, **further)
    assert listed(home) == []
    assert "\n" not in error.value.message
    return error.value


async def some_bytes(running: Download) -> None:
    async with asyncio.timeout(10):
        while not running.progress().n_bytes:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_LONGEST_WAIT_S", 0.01)


def test_a_model_of_a_hub_is_kept_with_what_its_header_says(
    hub: Hub, home: Path, gguf_bytes: bytes
) -> None:
    hub.add("owner/repo", "alphabet-Q8_0.gguf", gguf_bytes)
    model, path, told = pull(home, "hf:owner/repo")
    assert path.read_bytes() == gguf_bytes
    assert (model.id, model.source) == ("alphabet-Q8_0", "hf:owner/repo")
    assert (model.architecture, model.quantization, model.n_ctx_train) == ("llama", "F32", 1024)
    assert model.sha256 == hash_of(gguf_bytes)
    assert model.bits_per_weight == 32
    assert told[-1].state == "done"
    assert told[-1].n_bytes == told[-1].n_total == len(gguf_bytes)


def test_asking_again_fetches_nothing(hub: Hub, home: Path, gguf_bytes: bytes) -> None:
    hub.add("owner/repo", "a.gguf", gguf_bytes)
    pull(home, "hf:owner/repo")
    n_requests = len(hub.requests)
    pull(home, "owner/repo")
    assert len(hub.requests) == n_requests


def test_the_parts_of_a_model_keep_together(hub: Hub, home: Path, parts: list[bytes]) -> None:
    for index, part in enumerate(parts, 1):
        hub.add("owner/repo", f"big/m-Q4_0-{index:05}-of-00003.gguf", part)
    model, path, _ = pull(home, "hf:owner/repo:q4_0")
    assert model.id == "m-Q4_0"
    assert [file.n_bytes for file in model.files] == [len(part) for part in parts]
    whole = sorted(path.parent.glob("*.gguf"))
    assert [one.read_bytes() for one in whole] == parts


def test_a_split_model_at_a_plain_address_is_fetched_whole(
    hub: Hub, home: Path, parts: list[bytes]
) -> None:
    for index, part in enumerate(parts, 1):
        hub.add("owner/repo", f"m-{index:05}-of-00003.gguf", part)
    model, _, _ = pull(home, f"{hub.url}/cdn/owner/repo/m-00001-of-00003.gguf")
    assert len(model.files) == 3


def test_what_reads_images_comes_along_where_it_is_asked_for(
    hub: Hub, home: Path, gguf_bytes: bytes, parts: list[bytes]
) -> None:
    hub.add("owner/repo", "a-Q4_0.gguf", gguf_bytes)
    hub.add("owner/repo", "mmproj-BF16.gguf", parts[0])
    hub.add("owner/repo", "mmproj-F16.gguf", parts[1])

    async def work(library: Library) -> None:
        running = await library.pull(read_source("hf:owner/repo"), with_projector=True)
        assert isinstance(running, Download)
        model, projector = (await running.done()).files
        assert (model.is_projector, projector.is_projector) == (False, True)
        assert (library.root / projector.path).read_bytes() == parts[1]
        await library.remove("a-Q4_0")
        running = await library.pull(read_source("hf:owner/repo"))
        assert isinstance(running, Download)
        assert len((await running.done()).files) == 1
        with pytest.raises(ApiError, match="without what reads images"):
            await library.pull(read_source("hf:owner/repo"), with_projector=True)

    in_library(home, work)


@pytest.mark.parametrize("source", ["hf:owner/repo", "{url}/cdn/owner/repo/a.gguf"])
def test_a_connection_that_is_cut_goes_on_where_it_was(
    hub: Hub, home: Path, gguf_bytes: bytes, source: str
) -> None:
    hub.add("owner/repo", "a.gguf", gguf_bytes)
    piece = len(gguf_bytes) // 7
    hub.cut_after = [piece] * 5
    model, _, _ = pull(home, source.format(url=hub.url))
    assert model.sha256 == hash_of(gguf_bytes)
    starts = [headers.get("range", "") for headers in hub.bodies()]
    assert len(starts) == 6
    assert starts == ["", *(f"bytes={piece * n}-" for n in range(1, 6))]
    assert hub.n_sent == len(gguf_bytes)


def test_an_interrupted_download_goes_on_in_the_next_process(
    hub: Hub, home: Path, gguf_bytes: bytes
) -> None:
    hub.add("owner/repo", "a.gguf", gguf_bytes)
    hub.hold.clear()

    async def interrupted(library: Library) -> None:
        running = await library.pull(read_source("hf:owner/repo"))
        assert isinstance(running, Download)
        await some_bytes(running)
        running.cancel()
        hub.hold.set()
        with pytest.raises(ApiError) as error:
            await running.done()
        assert error.value.code == "cancelled"
        assert await library.models() == []

    in_library(home, interrupted)
    pull(home, "hf:owner/repo")
    assert hub.bodies()[-1]["range"].startswith("bytes=")


def test_a_server_without_ranges_is_read_from_the_beginning(
    hub: Hub, home: Path, gguf_bytes: bytes
) -> None:
    hub.add("owner/repo", "a.gguf", gguf_bytes)
    hub.cut_after = [1000]
    hub.ignores_ranges = True
    assert pull(home, "hf:owner/repo").model.sha256 == hash_of(gguf_bytes)


def test_a_file_that_changed_meanwhile_is_fetched_anew(
    hub: Hub, home: Path, gguf_bytes: bytes, parts: list[bytes]
) -> None:
    hub.add("owner/repo", "a.gguf", parts[0])
    url = f"{hub.url}/cdn/owner/repo/a.gguf"

    async def first_try(library: Library) -> None:
        running = await library.pull(read_source(url))
        assert isinstance(running, Download)
        await some_bytes(running)
        running.cancel()
        with pytest.raises(ApiError):
            await running.done()

    hub.cut_after = [1000] * 1000
    in_library(home, first_try)
    hub.cut_after = []
    hub.add("owner/repo", "a.gguf", gguf_bytes)
    assert pull(home, url).path.read_bytes() == gguf_bytes


def test_a_busy_server_is_asked_again(hub: Hub, home: Path, gguf_bytes: bytes) -> None:
    hub.add("owner/repo", "a.gguf", gguf_bytes)
    hub.statuses = [503, 429]
    assert pull(home, "hf:owner/repo").model.sha256


def test_a_server_that_stays_down_is_given_up(hub: Hub, home: Path, gguf_bytes: bytes) -> None:
    hub.add("owner/repo", "a.gguf", gguf_bytes)
    hub.statuses = [503] * 100
    assert "the server says 503" in refused(home, "hf:owner/repo").message


def test_a_wrong_hash_is_told_and_thrown_away(hub: Hub, home: Path, gguf_bytes: bytes) -> None:
    hub.add("owner/repo", "a.gguf", gguf_bytes)
    hub.claimed_sha256["a.gguf"] = "0" * 64
    assert refused(home, "hf:owner/repo").code == "hash_mismatch"
    url = f"{hub.url}/cdn/owner/repo/a.gguf"
    assert refused(home, url, sha256="1" * 64).code == "hash_mismatch"
    assert not list((home / "models/partial").rglob("*.gguf"))
    assert pull(home, url, sha256=hash_of(gguf_bytes)).model.sha256 == hash_of(gguf_bytes)


def test_what_is_no_model_ends_at_its_first_bytes(hub: Hub, home: Path) -> None:
    hub.add("owner/repo", "a.gguf", b"<html>" * 10_000_000)
    error = refused(home, "hf:owner/repo")
    assert (error.status, error.code) == (400, "not_gguf")


def test_a_damaged_model_is_told_when_it_is_whole(hub: Hub, home: Path, gguf_bytes: bytes) -> None:
    hub.add("owner/repo", "a.gguf", gguf_bytes[: len(gguf_bytes) // 2])
    assert refused(home, "hf:owner/repo").code == "bad_model_file"


def test_a_full_disk_is_told_before_anything_is_fetched(
    hub: Hub, home: Path, gguf_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("owner/repo", "a.gguf", gguf_bytes)
    usage = shutil.disk_usage(home.parent)

    def full(_path: Path) -> object:
        return usage._replace(free=1000)

    monkeypatch.setattr(shutil, "disk_usage", full)
    error = refused(home, "hf:owner/repo")
    assert error.code == "disk_full"
    assert "a.gguf" in error.message


def test_a_disk_that_fills_up_meanwhile_is_told_so(hub: Hub, home: Path, gguf_bytes: bytes) -> None:
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    hub.add("owner/repo", "a.gguf", gguf_bytes)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, before[1]))
    try:
        with pytest.raises(ApiError) as error:
            pull(home, "hf:owner/repo")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert error.value.code in ("disk_full", "write_failed")
    assert listed(home) == []


def test_what_a_hub_does_not_have_is_not_found(hub: Hub, home: Path, gguf_bytes: bytes) -> None:
    hub.add("owner/repo", "a-Q8_0.gguf", gguf_bytes)
    assert refused(home, "hf:owner/other").status == 404
    assert refused(home, "hf:owner/repo:Q2_K").status == 404
    assert refused(home, "hf:owner/repo/b.gguf").status == 404
    assert refused(home, f"{hub.url}/cdn/owner/repo/b.gguf").status == 404


def test_a_hub_that_is_away_is_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert refused(home, "hf:owner/repo").code == "download_failed"


def test_a_token_goes_to_the_hub_and_nowhere_else(
    hub: Hub, home: Path, gguf_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("owner/repo", "a.gguf", gguf_bytes)
    hub.token = "hf_secret"
    assert refused(home, "hf:owner/repo").code == "access_refused"
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    pull(home, "hf:owner/repo")
    carried = {path.split("/")[1]: "authorization" in h for path, h in hub.requests[-3:]}
    assert carried == {"api": True, "owner": True, "cdn": False}


def test_an_encrypted_address_does_not_lead_to_an_open_one(tmp_path: Path) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.scheme == "https":
            return httpx2.Response(302, headers={"Location": "http://elsewhere/a.gguf"})
        return httpx2.Response(200, content=b"GGUF")

    client = httpx2.Client(transport=httpx2.MockTransport(answer), follow_redirects=True)
    with client, pytest.raises(ApiError, match="encrypted"):
        transfer.fetch(
            transfer.Fetch(url="https://host/a.gguf", name="a.gguf"),
            tmp_path / "a",
            client=client,
            stop=threading.Event(),
            on_bytes=lambda _here, _total: None,
        )


def test_who_asks_for_a_running_download_joins_it(hub: Hub, home: Path, gguf_bytes: bytes) -> None:
    hub.add("owner/repo", "a.gguf", gguf_bytes)

    async def work(library: Library) -> None:
        one, other = [await library.pull(read_source("hf:owner/repo")) for _ in range(2)]
        assert isinstance(one, Download)
        assert one is other
        assert await one.done() == await one.done()

    in_library(home, work)
    assert len(hub.bodies()) == 1


def test_two_processes_fetch_a_model_once(hub: Hub, home: Path, gguf_bytes: bytes) -> None:
    hub.add("owner/repo", "a.gguf", gguf_bytes)
    hub.hold.clear()
    found: list[StoredModel] = []

    def another_process() -> None:
        found.append(pull(home, "hf:owner/repo").model)

    threads = [threading.Thread(target=another_process) for _ in range(2)]
    in_library(home, lambda library: library.models())  # migrates
    for thread in threads:
        thread.start()
    assert hub.stopped.wait(10)
    hub.hold.set()
    for thread in threads:
        thread.join(30)
    assert len(found) == 2
    assert found[0] == found[1]
    assert len(hub.bodies()) == 1


def test_names_of_a_hub_never_become_paths(hub: Hub, home: Path, gguf_bytes: bytes) -> None:
    for name in ("../../../evil.gguf", "/etc/evil.gguf", "a/\x00/evil.gguf"):
        hub.files.clear()
        hub.add("owner/repo", name, gguf_bytes)
        try:
            _, path, _ = pull(home, "hf:owner/repo")
        except ApiError:
            continue
        assert path.is_relative_to(home / "models/files")
        shutil.rmtree(home)
    assert not list(home.parent.rglob("evil*"))


def test_an_id_that_is_taken_is_refused_before_anything_is_fetched(
    hub: Hub, home: Path, gguf_bytes: bytes
) -> None:
    hub.add("owner/repo", "a.gguf", gguf_bytes)
    hub.add("owner/other", "a.gguf", gguf_bytes)
    hub.add("owner/third", "a.gguf", gguf_bytes)

    async def work(library: Library) -> list[str]:
        for source in ("hf:owner/repo", "hf:owner/other"):
            running = await library.pull(read_source(source))
            assert isinstance(running, Download)
            await running.done()
        with pytest.raises(ApiError) as error:
            await library.pull(read_source("hf:owner/third"), model_id="a")
        assert error.value.status == 409
        return [model.id for model in await library.models()]

    assert in_library(home, work) == ["a", "owner/a"]
