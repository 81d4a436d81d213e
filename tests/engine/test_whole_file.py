"""A file is there whole or as it was, whatever happens to whoever writes it."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from jan_engine.whole_file import whole_file, write_whole


def test_a_writer_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_whole(path, b"before")

    def fail(partial: Path) -> None:
        partial.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), whole_file(path) as partial:
        fail(partial)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["a.json"]  # noqa: PTH208 - names, to compare


@pytest.mark.skipif(os.name == "nt", reason="has other permissions")
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_has_its_permissions_before_anybody_finds_it(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a"
    with whole_file(path, mode=mode) as partial:
        assert stat.S_IMODE(partial.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_readers_beside_writers_see_one_text_or_the_other(tmp_path: Path) -> None:
    path = tmp_path / "a"
    texts = (b"a" * 100_000, b"b" * 50_000)
    write_whole(path, texts[0])
    done = threading.Event()

    def write() -> None:
        for number in range(100):
            write_whole(path, texts[number % 2], durable=False)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert path.read_bytes() in texts
    writer.join()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        write_whole(tmp_path / "nowhere" / "a", b"")
