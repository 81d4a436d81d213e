"""Reads and checks the header of a GGUF file without loading it.

A model file comes from strangers. llama.cpp's loader trusts much of what it reads, so every
count, length, offset, type and shape is checked here against the file before native code sees
it. Nothing is allocated in proportion to a number that the file merely claims.
"""

from __future__ import annotations

import math
import mmap
import re
import struct
from pathlib import Path

import msgspec

from jan_engine.errors import BadModelFile, ModelNotFound, UnsupportedModelFormat
from jan_engine.tensor_types import tensor_types

__all__ = [
    "Array",
    "Header",
    "Tensor",
    "Value",
    "check_adapter",
    "check_model",
    "read_header",
    "split_paths",
]

_OLD_MAGICS = {b"lmgg": "GGML", b"fmgg": "GGMF", b"tjgg": "GGJT", b"algg": "GGLA"}
_VERSIONS = (2, 3)
_DEFAULT_ALIGNMENT = 32
_MAX_ALIGNMENT = 64 * 1024
_MAX_KEY_BYTES = 65535
_MAX_NAME_BYTES = 63  # ggml keeps 64 with the terminator
_MAX_DIMS = 4
_MAX_ELEMENTS = 2**63 - 1
_MAX_VOCABULARY = 4_000_000  # the largest in use have about 260 000 tokens
_MIN_PAIR_BYTES = 8 + 1 + 4 + 1  # key length, key, type, value
_MIN_TENSOR_BYTES = 8 + 1 + 4 + 4 + 8  # name length, name, dimensions, type, offset
# Types that a product cannot be taken with: upstream calls a function that is not there. Numbers to
# look up are stored as integers, in the tables named here and nowhere else.
_NO_WEIGHTS = {"f64", "i8", "i16", "i32", "i64", "q8_1", "q8_K"}
_TABLES = {"i32": "ffn_gate_tid2eid.weight", "i64": "d2t"}
_SPLIT_NAME = re.compile(r"(?P<stem>.*)-(?P<index>\d{5})-of-(?P<count>\d{5})\.gguf")

_BOOL, _STRING, _ARRAY = 7, 8, 9
_SCALARS = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    _BOOL: struct.Struct("<B"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
_U32, _U64 = _SCALARS[4], _SCALARS[10]


class Array(msgspec.Struct, frozen=True):
    """Where an array lies. Vocabularies have 150 000 entries, so they stay in the file."""

    element_type: int
    n_elements: int
    offset: int  # of the first element, from the start of the file


Value = int | float | bool | str | Array


class Tensor(msgspec.Struct, frozen=True):
    """One tensor's place and shape."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int  # from the start of the data section
    n_bytes: int


class Header(msgspec.Struct, frozen=True):
    """A checked header."""

    path: str
    version: int
    metadata: dict[str, Value]
    tensors: list[Tensor]
    data_offset: int


def read_header(path: str | Path) -> Header:
    """Check the whole header of one file. Raises ModelNotFound or BadModelFile."""
    path = Path(path)
    try:
        if not path.is_file():
            raise ModelNotFound(f"there is no model file {path}")
        with path.open("rb") as file:
            if path.stat().st_size < 4:
                raise BadModelFile("the file is too short to be a model")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                return _Reader(path, view).header()
    except OSError as error:
        not_found = ModelNotFound(f"cannot read {path}: {error.strerror or error}")
        not_found.path = str(path)
        raise not_found from error
    except (ModelNotFound, BadModelFile) as error:
        error.path = str(path)
        raise


def check_model(path: str | Path) -> list[Header]:
    """The headers of every file of a model, in order, checked. Raises what read_header raises."""
    first = read_header(path)
    return [first, *(read_header(part) for part in split_paths(first)[1:])]


def check_adapter(path: str | Path) -> Header:
    """Check the file of a low-rank adapter. Raises what check_model raises."""
    header = read_header(path)
    for field, expected in (("general.type", "adapter"), ("adapter.type", "lora")):
        said = header.metadata.get(field, "model")
        if said != expected:
            wrong = BadModelFile(f"this is no LoRA adapter: it says that it is {said!r}")
            wrong.path, wrong.field = header.path, field
            raise wrong
    return header


def split_paths(header: Header) -> list[Path]:
    """Every file of a model, in order: one, or all parts when the header says it is split."""
    path = Path(header.path)
    count = header.metadata.get("split.count", 0)
    if not isinstance(count, int) or count <= 1:
        return [path]
    name = _SPLIT_NAME.fullmatch(path.name)
    if name is None or int(name["count"]) != count:
        wrong = BadModelFile(
            f"the file says it is one of {count} parts, but its name does not end in "
            f"-00001-of-{count:05}.gguf"
        )
    elif int(name["index"]) != 1:
        wrong = BadModelFile(
            f"this is part {int(name['index'])} of {count}",
            "load part 1; the others are found from it",
        )
    else:
        parts = range(1, count + 1)
        return [path.with_name(f"{name['stem']}-{i:05}-of-{count:05}.gguf") for i in parts]
    wrong.path, wrong.field = str(path), "split.count"
    raise wrong


class _Reader:
    """A cursor over the mapped file. Every read is checked against its end."""

    def __init__(self, path: Path, view: mmap.mmap) -> None:
        self.path = path
        self.view = view
        self.size = len(view)
        self.at = 0
        self.field: str | None = None  # what is being read, for the error

    def header(self) -> Header:
        version = self._version()
        n_tensors = self._count("tensors", _MIN_TENSOR_BYTES)
        n_pairs = self._count("metadata entries", _MIN_PAIR_BYTES)
        metadata: dict[str, Value] = {}
        for _ in range(n_pairs):
            self.field = None
            key = self._key(metadata)
            self.field = key
            metadata[key] = self._value(self._scalar(_U32))
        self.field = "general.alignment"
        alignment = self._alignment(metadata)
        tensors = self._tensors(n_tensors, alignment)
        data_offset = self.at + -self.at % alignment
        self._check_data(tensors, data_offset)
        self._check_metadata(metadata)
        return Header(str(self.path), version, metadata, tensors, data_offset)

    def _version(self) -> int:
        magic = self.view[:4]
        if magic in _OLD_MAGICS:
            raise self._unsupported(
                f"this is a {_OLD_MAGICS[magic]} file, a format from before GGUF",
                "convert it with llama.cpp's convert_llama_ggml_to_gguf.py",
            )
        if magic != b"GGUF":
            raise self._bad("this is not a GGUF file")
        self.at = 4
        version = self._scalar(_U32)
        if version not in _VERSIONS:
            other_endian = version & 0xFFFF == 0 and version != 0
            what = "written for big-endian machines" if other_endian else f"version {version}"
            raise self._unsupported(f"this GGUF file is {what}; versions 2 and 3 are read")
        return version

    def _count(self, what: str, min_bytes: int) -> int:
        start = self.at
        count = self._scalar(_U64)
        if count > (self.size - self.at) // min_bytes:
            raise self._bad(f"the header claims {count} {what}, more than fit the file", start)
        return count

    def _key(self, known: dict[str, Value]) -> str:
        start = self.at
        raw = self._bytes("a metadata key")
        if not 0 < len(raw) <= _MAX_KEY_BYTES:
            raise self._bad(f"a metadata key is {len(raw)} bytes long", start)
        key = self._decoded(raw, "a metadata key", start)
        if key in known:
            raise self._bad(f"the metadata key {key!r} appears twice", start)
        return key

    def _value(self, kind: int) -> Value:
        start = self.at - 4
        if kind == _STRING:
            return self._bytes("its value").decode("utf-8", "replace")
        if kind == _ARRAY:
            return self._array()
        if kind not in _SCALARS:
            raise self._bad(f"the value is of unknown type {kind}", start)
        value = self._scalar(_SCALARS[kind])
        if kind == _BOOL:
            if value not in (0, 1):
                raise self._bad(f"a boolean is {value}", self.at - 1)
            return bool(value)
        return value

    def _array(self) -> Array:
        start = self.at
        kind, count, first = self._scalar(_U32), self._scalar(_U64), self.at
        if kind == _STRING:
            if count > (self.size - self.at) // _U64.size:
                raise self._bad(f"the array claims {count} strings, more than fit the file", start)
            self._skip_strings(count)
        elif kind in _SCALARS:
            self._skip(count * _SCALARS[kind].size, f"an array of {count} elements")
            if kind == _BOOL and self.view[first : self.at].translate(None, b"\0\1"):
                raise self._bad("an array of booleans holds other values", first)
        else:
            raise self._bad(f"the array's elements are of unknown type {kind}", start)
        return Array(kind, count, first)

    def _alignment(self, metadata: dict[str, Value]) -> int:
        alignment = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or not 0 < alignment <= _MAX_ALIGNMENT:
            raise self._bad(f"the alignment {alignment!r} is not between 1 and {_MAX_ALIGNMENT}")
        if alignment & (alignment - 1):
            raise self._bad(f"the alignment {alignment} is not a power of two")
        return alignment

    def _tensors(self, count: int, alignment: int) -> list[Tensor]:
        tensors: list[Tensor] = []
        names: set[str] = set()
        expected_offset = 0
        for _ in range(count):
            self.field = None
            tensor = self._tensor(names)
            if tensor.offset != expected_offset:
                raise self._bad(
                    f"the tensor's data is at {tensor.offset}, but the tensors before it end at "
                    f"{expected_offset}",
                    self.at - 8,
                )
            expected_offset += tensor.n_bytes + -tensor.n_bytes % alignment
            names.add(tensor.name)
            tensors.append(tensor)
        return tensors

    def _tensor(self, known: set[str]) -> Tensor:
        start = self.at
        raw = self._bytes("a tensor's name")
        if not 0 < len(raw) <= _MAX_NAME_BYTES:
            raise self._bad(f"a tensor's name is {len(raw)} bytes long", start)
        name = self._decoded(raw, "a tensor's name", start)
        self.field = name
        if name in known:
            raise self._bad("two tensors have this name", start)
        start = self.at
        n_dims = self._scalar(_U32)
        if n_dims > _MAX_DIMS:
            raise self._bad(f"the tensor has {n_dims} dimensions", start)
        shape = tuple(self._scalar(_U64) for _ in range(n_dims))
        # Without any dimension it is one number, whose every dimension counts as 1.
        if 0 in shape or math.prod(shape) > _MAX_ELEMENTS:
            raise self._bad(f"the tensor has the impossible shape {list(shape)}", start)
        start = self.at
        kind = self._scalar(_U32)
        if kind not in tensor_types():
            raise self._bad(f"the tensor's elements are of unknown type {kind}", start)
        type_name, n_block, block_bytes = tensor_types()[kind]
        if type_name in _NO_WEIGHTS and not name.endswith(_TABLES.get(type_name, "\0")):
            raise self._bad(f"no weights are stored as {type_name}", start)
        n_per_row = shape[0] if shape else 1
        if n_per_row % n_block:
            raise self._bad(f"rows of {n_per_row} elements do not divide into {type_name} blocks")
        n_bytes = math.prod(shape) // n_block * block_bytes
        return Tensor(name, shape, type_name, self._scalar(_U64), n_bytes)

    def _check_metadata(self, metadata: dict[str, Value]) -> None:
        self.field = "general.architecture"
        architecture = metadata.get(self.field)
        # Of a split model only the first part says what it is.
        is_later_part = metadata.get("split.no", 0) != 0
        if not isinstance(architecture, str) and not is_later_part:
            raise self._bad("the header does not name an architecture")
        # Without a vocabulary of its own, upstream makes one of the size the file claims.
        self.field = f"{architecture}.vocab_size"
        n_vocab = metadata.get(self.field, 0)
        if isinstance(n_vocab, int) and n_vocab > _MAX_VOCABULARY:
            raise self._bad(f"a vocabulary of {n_vocab} tokens is not believable")

    def _check_data(self, tensors: list[Tensor], data_offset: int) -> None:
        for tensor in tensors:
            end = data_offset + tensor.offset + tensor.n_bytes
            if end > self.size:
                self.field = tensor.name
                raise self._bad(
                    f"the file ends at {self.size}, in or before this tensor, which ends at {end}: "
                    "the download may be incomplete"
                )

    def _scalar(self, kind: struct.Struct) -> int:
        start = self.at
        self._skip(kind.size, "a number")
        value: int = kind.unpack_from(self.view, start)[0]  # or a float, for two of the types
        return value

    def _skip_strings(self, count: int) -> None:
        # The one loop that runs hundreds of thousands of times, so it works on locals.
        view, size, at, length_at = self.view, self.size, self.at, _U64.unpack_from
        for _ in range(count):
            if at > size - 8:
                break
            at += 8 + length_at(view, at)[0]
        else:
            if at <= size:
                self.at = at
                return
        raise self._bad("the file ends inside a string of the array")

    def _bytes(self, what: str) -> bytes:
        n_bytes = self._scalar(_U64)
        start = self.at
        self._skip(n_bytes, what)
        return self.view[start : self.at]

    def _skip(self, n_bytes: int, what: str) -> None:
        if n_bytes > self.size - self.at:
            raise self._bad(f"the file ends inside {what}")
        self.at += n_bytes

    def _decoded(self, raw: bytes, what: str, start: int) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise self._bad(f"{what} is not UTF-8", start) from None

    def _bad(self, message: str, offset: int | None = None) -> BadModelFile:
        return self._placed(BadModelFile, message, "", offset)

    def _unsupported(self, message: str, hint: str = "") -> BadModelFile:
        return self._placed(UnsupportedModelFormat, message, hint, 0)

    def _placed(
        self, kind: type[BadModelFile], message: str, hint: str, offset: int | None
    ) -> BadModelFile:
        place = self.at if offset is None else offset
        where = f"{self.field}, " if self.field else ""
        error = kind(f"{message} ({where}byte {place})", hint)
        error.offset, error.field = place, self.field
        return error
