"""The header reader on files that are damaged in one known place."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from jan_engine import BadModelFile, Model, ModelNotFound, UnsupportedModelFormat, gguf
from tests.gguf_bytes import Array, header, pair, string, tensor

U8, U32, F32_VALUE, BOOL, STRING = 0, 4, 6, 7, 8
ARCHITECTURE = pair("general.architecture", STRING, string("llama"))


def read(tmp_path: Path, content: bytes) -> gguf.Header:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    return gguf.read_header(path)


def bad(tmp_path: Path, content: bytes) -> BadModelFile:
    with pytest.raises(BadModelFile) as caught:
        read(tmp_path, content)
    assert caught.value.path == str(tmp_path / "model.gguf")
    return caught.value


def test_a_good_header_is_read_whole(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        header(
            [
                ARCHITECTURE,
                pair("n", U32, struct.pack("<I", 7)),
                pair("yes", BOOL, b"\1"),
                pair(
                    "words", gguf_array := 9, Array(STRING, [string("a"), string("bc")]).encoded()
                ),
            ],
            [tensor("t", [4, 2], kind=0, offset=0), tensor("u", [8], kind=1, offset=32)],
            data=bytes(64),
        ),
    )
    assert gguf_array == 9
    assert found.metadata["n"] == 7
    assert found.metadata["yes"] is True
    assert found.metadata["words"].n_elements == 2  # type: ignore[union-attr]
    assert [(t.name, t.shape, t.type, t.n_bytes) for t in found.tensors] == [
        ("t", (4, 2), "f32", 32),
        ("u", (8,), "f16", 16),
    ]


def test_real_files_pass(alphabet_path: Path, random_path: Path) -> None:
    assert gguf.read_header(alphabet_path).metadata["general.architecture"] == "llama"
    assert len(gguf.read_header(random_path).tensors) == 21


def test_a_missing_file_is_model_not_found(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound) as caught:
        gguf.read_header(tmp_path / "no.gguf")
    assert caught.value.path.endswith("no.gguf")


def test_a_folder_is_model_not_found(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        gguf.read_header(tmp_path)


@pytest.mark.parametrize("magic", [b"lmgg", b"fmgg", b"tjgg", b"algg"])
def test_files_older_than_gguf_are_an_unsupported_format(tmp_path: Path, magic: bytes) -> None:
    with pytest.raises(UnsupportedModelFormat) as caught:
        read(tmp_path, magic + bytes(100))
    assert caught.value.code == "unsupported_model_format"
    assert "convert" in caught.value.hint


@pytest.mark.parametrize("version", [0, 1, 4, 0x03000000])
def test_other_versions_are_an_unsupported_format(tmp_path: Path, version: int) -> None:
    with pytest.raises(UnsupportedModelFormat):
        read(tmp_path, header([ARCHITECTURE], version=version))


def test_a_big_endian_file_is_called_that(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelFormat, match="big-endian"):
        read(tmp_path, header([ARCHITECTURE], version=0x03000000))


def test_something_else_is_not_a_model(tmp_path: Path) -> None:
    assert "not a GGUF file" in bad(tmp_path, b"PK\3\4" + bytes(100)).message
    assert "too short" in bad(tmp_path, b"").message


def test_an_error_names_the_key_and_the_byte(tmp_path: Path) -> None:
    error = bad(tmp_path, header([ARCHITECTURE, pair("some.key", 99, b"")]))
    assert error.field == "some.key"
    assert error.offset is not None
    assert "some.key" in str(error)
    assert str(error.offset) in str(error)


HUGE = 2**62
BAD_HEADERS = {
    "more tensors than fit": header([ARCHITECTURE], n_tensors=HUGE),
    "more pairs than fit": header([ARCHITECTURE], n_pairs=HUGE),
    "pairs that are not there": header([ARCHITECTURE], n_pairs=2) + b"\0" * 14,
    "no architecture": header([pair("x", U8, b"\1")]),
    "architecture not a string": header([pair("general.architecture", U8, b"\1")]),
    "empty key": header([ARCHITECTURE, pair("", U8, b"\1")]),
    "same key twice": header([ARCHITECTURE, ARCHITECTURE]),
    "key not UTF-8": header([ARCHITECTURE, string(b"\xff") + struct.pack("<I", U8) + b"\1"]),
    "key of 64 KiB": header([ARCHITECTURE, pair("k" * 65536, U8, b"\1")]),
    "unknown value type": header([ARCHITECTURE, pair("x", 13, b"\1")]),
    "string longer than the file": header(
        [ARCHITECTURE, pair("x", STRING, struct.pack("<Q", HUGE))]
    ),
    "boolean of 2": header([ARCHITECTURE, pair("x", BOOL, b"\2")]),
    "array of arrays": header([ARCHITECTURE, pair("x", 9, struct.pack("<IQ", 9, 1))]),
    "array of unknown": header([ARCHITECTURE, pair("x", 9, struct.pack("<IQ", 77, 1))]),
    "array longer than the file": header(
        [ARCHITECTURE, pair("x", 9, struct.pack("<IQ", U32, HUGE))]
    ),
    "array size overflows": header([ARCHITECTURE, pair("x", 9, struct.pack("<IQ", 12, 2**61))]),
    "string array longer than the file": header(
        [ARCHITECTURE, pair("x", 9, struct.pack("<IQ", STRING, HUGE))]
    ),
    "string in an array longer than the file": header(
        [ARCHITECTURE, pair("x", 9, struct.pack("<IQQ", STRING, 1, HUGE))]
    ),
    "boolean array of 3": header(
        [ARCHITECTURE, pair("x", 9, struct.pack("<IQ", BOOL, 2) + b"\1\3")]
    ),
    "alignment 0": header([ARCHITECTURE, pair("general.alignment", U32, struct.pack("<I", 0))]),
    "alignment 24": header([ARCHITECTURE, pair("general.alignment", U32, struct.pack("<I", 24))]),
    "alignment 1 GiB": header(
        [ARCHITECTURE, pair("general.alignment", U32, struct.pack("<I", 2**30))]
    ),
    "alignment a string": header([ARCHITECTURE, pair("general.alignment", STRING, string("32"))]),
    "alignment a float": header(
        [ARCHITECTURE, pair("general.alignment", F32_VALUE, struct.pack("<f", 32))]
    ),
    "tensor without a name": header([ARCHITECTURE], [tensor("", [4])], data=bytes(64)),
    "tensor name of 64 bytes": header([ARCHITECTURE], [tensor("t" * 64, [4])], data=bytes(64)),
    "two tensors of one name": header(
        [ARCHITECTURE], [tensor("t", [4]), tensor("t", [4], offset=32)], data=bytes(64)
    ),
    "one number in blocks of 32": header([ARCHITECTURE], [tensor("t", [], kind=8)], data=bytes(64)),
    "one number cut off": header([ARCHITECTURE], [tensor("t", [])], data=bytes(3)),
    "five dimensions": header([ARCHITECTURE], [tensor("t", [1] * 5)], data=bytes(64)),
    "dimension 0": header([ARCHITECTURE], [tensor("t", [4, 0])], data=bytes(64)),
    "dimension negative": header([ARCHITECTURE], [tensor("t", [2**63])], data=bytes(64)),
    "dimension product overflows": header(
        [ARCHITECTURE], [tensor("t", [2**32, 2**32])], data=bytes(64)
    ),
    "product wraps to 4": header([ARCHITECTURE], [tensor("t", [2**62 + 1, 4])], data=bytes(64)),
    "retired element type": header([ARCHITECTURE], [tensor("t", [4], kind=4)], data=bytes(64)),
    "unknown element type": header([ARCHITECTURE], [tensor("t", [4], kind=1000)], data=bytes(64)),
    "row not of whole blocks": header([ARCHITECTURE], [tensor("t", [33], kind=8)], data=bytes(64)),
    "offset not aligned": header([ARCHITECTURE], [tensor("t", [4], offset=8)], data=bytes(64)),
    "offset leaves a gap": header([ARCHITECTURE], [tensor("t", [4], offset=32)], data=bytes(64)),
    "tensors overlap": header([ARCHITECTURE], [tensor("t", [4]), tensor("u", [4])], data=bytes(64)),
    "data cut off": header([ARCHITECTURE], [tensor("t", [1024])], data=bytes(64)),
}


def test_a_tensor_without_dimensions_is_one_number(tmp_path: Path) -> None:
    one = header(
        [ARCHITECTURE], [tensor("t", []), tensor("u", [4], offset=32)], data=bytes(32 + 16)
    )
    assert [(t.shape, t.n_bytes) for t in read(tmp_path, one).tensors] == [((), 4), ((4,), 16)]


@pytest.mark.parametrize("content", BAD_HEADERS.values(), ids=BAD_HEADERS.keys())
def test_a_bad_header_is_a_bad_model_file(tmp_path: Path, content: bytes) -> None:
    assert bad(tmp_path, content).message


def test_every_cut_of_a_header_is_a_bad_model_file(tmp_path: Path, random_path: Path) -> None:
    whole = random_path.read_bytes()
    data_offset = gguf.read_header(random_path).data_offset
    for length in [*range(0, data_offset, 97), data_offset, len(whole) - 64]:
        bad(tmp_path, whole[:length])


def test_a_truncated_download_says_so(tmp_path: Path, random_path: Path) -> None:
    error = bad(tmp_path, random_path.read_bytes()[:-1000])
    assert "incomplete" in error.message
    assert error.field == "output.weight"


def split_part(path: Path, count: int) -> None:
    path.write_bytes(header([ARCHITECTURE, pair("split.count", U32, struct.pack("<I", count))]))


def test_a_split_model_names_its_parts(tmp_path: Path) -> None:
    path = tmp_path / "big-00001-of-00003.gguf"
    split_part(path, 3)
    parts = gguf.split_paths(gguf.read_header(path))
    assert [p.name for p in parts] == [f"big-0000{i}-of-00003.gguf" for i in (1, 2, 3)]


@pytest.mark.parametrize("name", ["big.gguf", "big-00001-of-00004.gguf", "big-00002-of-00003.gguf"])
def test_a_split_part_under_another_name_is_refused(tmp_path: Path, name: str) -> None:
    split_part(tmp_path / name, 3)
    with pytest.raises(BadModelFile):
        gguf.split_paths(gguf.read_header(tmp_path / name))


def test_a_later_part_need_not_name_the_architecture(tmp_path: Path) -> None:
    found = read(tmp_path, header([pair("split.no", 2, struct.pack("<H", 1))]))
    assert found.metadata["split.no"] == 1


def test_a_vocabulary_of_a_claimed_size_is_bounded(tmp_path: Path) -> None:
    size = pair("llama.vocab_size", U32, struct.pack("<I", 2**32 - 1))
    assert bad(tmp_path, header([ARCHITECTURE, size])).field == "llama.vocab_size"


def test_a_missing_part_is_model_not_found(tmp_path: Path) -> None:
    path = tmp_path / "big-00001-of-00002.gguf"
    split_part(path, 2)
    with pytest.raises(ModelNotFound, match="00002-of-00002"):
        Model(path)
