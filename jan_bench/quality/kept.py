"""A reference's logits in a file: computed once, compared with for as long as the file is there.

A line of text, the length of a JSON object in eight bytes, that object; from the next multiple of
4096 on the tokens of all windows as int32; from the next one on the logits as float32: for each
window in turn and each token of its second half but the last, as many as the vocabulary has.
Nothing is rounded: what is compared with the file is as if the reference had been in memory.
"""

from __future__ import annotations

import errno
import mmap
import os
from array import array
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from jan_bench.model_file import ModelFile
from jan_bench.quality.sides import Settings
from jan_engine.errors import InvalidRequest, WriteFailed
from jan_engine.whole_file import whole_file

__all__ = ["KeptFacts", "KeptReference", "keep_reference", "n_scored"]

_FIRST_LINE = b"jan-logits 1\n"
_PAGE = 4096
_LONGEST_FACTS = 1 << 20
_ROOM_LEFT = 64 << 20  # on the disk, for everybody else


class KeptFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that a comparison has to know of the reference besides its logits."""

    model: ModelFile
    setting: str
    settings: Settings  # n_windows is what the file has
    n_vocab: int
    n_threads: int
    text: str
    text_sha256: str
    kernels: str  # version and variant that computed


def n_scored(n_ctx: int) -> int:
    """Tokens of a window whose likelihood counts."""
    return n_ctx - 1 - n_ctx // 2


class _Places:
    """Where in the file what is."""

    def __init__(self, facts: KeptFacts, n_head: int) -> None:
        settings = facts.settings
        self.tokens = _padded(n_head)
        self.n_tokens = settings.n_ctx
        self.window = n_scored(settings.n_ctx) * facts.n_vocab * 4
        self.rows = _padded(self.tokens + 4 * settings.n_ctx * settings.n_windows)
        self.end = self.rows + self.window * settings.n_windows


class KeptReference:
    """Such a file, read a window at a time."""

    def __init__(self, path: Path) -> None:
        """Raises InvalidRequest for what is no such file, or not all of one."""
        try:
            with path.open("rb") as file:
                self.facts, n_head = _read_head(file.read(_LONGEST_FACTS))
                self._places = _Places(self.facts, n_head)
                n_bytes = os.fstat(file.fileno()).st_size
                if n_bytes != self._places.end:
                    raise InvalidRequest(
                        f"ref: {path} has {n_bytes} bytes where its head says {self._places.end}"
                    )
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise InvalidRequest(f"ref: cannot read {path}: {error.strerror}") from error
        except (msgspec.MsgspecError, ValueError) as error:
            if isinstance(error, InvalidRequest):
                raise
            raise InvalidRequest(f"ref: {path} is damaged: {error}") from error
        self.path = path

    @staticmethod
    def is_one(path: Path) -> bool:
        try:
            with path.open("rb") as file:
                return file.read(len(_FIRST_LINE)) == _FIRST_LINE
        except OSError:
            return False

    def windows(self, n: int) -> list[list[int]]:
        """The first n, or all for -1."""
        have = self.facts.settings.n_windows
        if n > have:
            raise InvalidRequest(f"chunks: {self.path} was made of {have}, {n} are wanted")
        n_ctx, at = self._places.n_tokens, self._places.tokens
        tokens = array("i", self._map[at : at + 4 * n_ctx * (have if n < 1 else n)])
        return [list(tokens[i : i + n_ctx]) for i in range(0, len(tokens), n_ctx)]

    @contextmanager
    def rows(self, window: int) -> Generator[memoryview]:
        with _slice(self._map, self._places, window) as found:
            yield found


@contextmanager
def keep_reference(
    path: Path, facts: KeptFacts, windows: Sequence[Sequence[int]]
) -> Generator[Keeping]:
    """Whole or not at all: the file has its name when the last window is in it. Raises WriteFailed
    before anything is computed where there is no room for it.
    """
    head = msgspec.json.encode(facts)
    head = _FIRST_LINE + len(head).to_bytes(8, "little") + head
    places = _Places(facts, len(head))
    try:
        _require_room(path.parent, places.end)
        with (
            whole_file(path, durable=False) as partial,
            partial.open("r+b") as file,
        ):
            os.posix_fallocate(file.fileno(), 0, places.end)  # a full disk says so here, not later
            file.write(head)
            file.seek(places.tokens)
            for window in windows:
                file.write(array("i", window).tobytes())
            file.flush()
            with mmap.mmap(file.fileno(), places.end) as mapped:
                yield Keeping(mapped, places)
                mapped.flush()
    except OSError as error:
        failed = WriteFailed(f"cannot write {path}: {error.strerror or error}")
        failed.path = str(path)
        raise failed from error


def _require_room(folder: Path, n_bytes: int) -> None:
    stat = os.statvfs(folder)
    free = stat.f_bavail * stat.f_frsize
    if free < n_bytes + _ROOM_LEFT:
        sizes = f"it takes {n_bytes / 2**30:.1f} GiB and {free / 2**30:.1f} are free"
        raise OSError(errno.ENOSPC, f"{sizes}; fewer --chunks take less")


class Keeping:
    """A file that is being made."""

    def __init__(self, mapped: mmap.mmap, places: _Places) -> None:
        self._map, self._places = mapped, places

    @contextmanager
    def rows(self, window: int) -> Generator[memoryview]:
        with _slice(self._map, self._places, window) as found:
            yield found


@contextmanager
def _slice(mapped: mmap.mmap, places: _Places, window: int) -> Generator[memoryview]:
    """Given back afterwards: a mapping with views of it cannot be closed."""
    at = places.rows + window * places.window
    with memoryview(mapped) as whole, whole[at : at + places.window] as found:
        yield found


def _read_head(head: bytes) -> tuple[KeptFacts, int]:
    """The facts, and how long they are with what is before them."""
    if not head.startswith(_FIRST_LINE):
        raise InvalidRequest("ref: this is no file of --save-ref")
    at = len(_FIRST_LINE) + 8
    end = at + int.from_bytes(head[at - 8 : at], "little")
    facts = msgspec.json.decode(head[at:end], type=KeptFacts)
    settings = facts.settings
    if settings.n_ctx < 8 or settings.n_windows < 1 or facts.n_vocab < 1:
        raise ValueError("there are no windows in it")
    return facts, end


def _padded(n: int) -> int:
    return (n + _PAGE - 1) // _PAGE * _PAGE
