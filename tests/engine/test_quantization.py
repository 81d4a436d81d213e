"""Quantising through llama.cpp's own quantiser."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jan_engine import (
    BadModelFile,
    InvalidRequest,
    Model,
    ModelNotFound,
    WriteFailed,
    _core,
    backends,
    gguf,
    quantize,
    quantize_types,
)
from tests import models
from tests.conftest import ROOT


def quantize_natively(source: Path, target: Path) -> None:
    """Without the name of its own that quantize() gives a file until it is whole."""
    backends()
    _core.quantize_file(
        str(source).encode(),
        str(target).encode(),
        "Q8_0",
        _core.Progress(),
        n_threads=1,
        requantize=False,
        pure=False,
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quantize")
    return models.write_random(
        folder / "f32.gguf", shape=replace(models.TINY, n_embd=256, n_ff=512)
    )


@pytest.mark.parametrize(
    ("type_name", "element"),
    [("F16", "f16"), ("Q8_0", "q8_0"), ("Q4_0", "q4_0"), ("Q4_K_M", "q4_K")],
)
def test_the_target_holds_the_type_asked_for(
    tmp_path: Path, source: Path, type_name: str, element: str
) -> None:
    target = tmp_path / "out.gguf"
    quantize(source, target, type_name)
    types = {t.name: t.type for t in gguf.read_header(target).tensors}
    assert types["blk.0.ffn_up.weight"] == element
    assert types["output_norm.weight"] == "f32"
    assert target.stat().st_size < source.stat().st_size
    assert Model(target).tokenize("a")
    assert [path.name for path in tmp_path.iterdir()] == ["out.gguf"]


def test_every_type_is_known_to_upstream(tmp_path: Path, source: Path) -> None:
    for type_name in quantize_types():
        if type_name == "MXFP4_MOE":  # for mixtures of experts only
            continue
        quantize(source, tmp_path / f"{type_name}.gguf", type_name)
        assert Model(tmp_path / f"{type_name}.gguf").facts.n_layer == 2


def test_progress_counts_tensors_up_to_the_end(tmp_path: Path, source: Path) -> None:
    seen: list[float] = []
    quantize(source, tmp_path / "out.gguf", "Q8_0", on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


class StopError(Exception):
    pass


def test_raising_from_progress_leaves_no_file(tmp_path: Path) -> None:
    big = models.write_random(
        tmp_path / "big.gguf", shape=replace(models.TINY, n_embd=1024, n_ff=4096, n_layer=4)
    )

    def stop(fraction: float) -> None:
        if fraction > 0:
            raise StopError

    with pytest.raises(StopError):
        quantize(big, tmp_path / "out.gguf", "Q4_K_M", on_progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["big.gguf"]


def test_an_unknown_type_is_refused_by_name(tmp_path: Path, source: Path) -> None:
    with pytest.raises(InvalidRequest, match="Q9_9") as caught:
        quantize(source, tmp_path / "out.gguf", "Q9_9")
    assert "Q4_K_M" in caught.value.hint


def test_quantising_twice_must_be_asked_for(tmp_path: Path, source: Path) -> None:
    quantize(source, tmp_path / "q8.gguf", "Q8_0")
    with pytest.raises(BadModelFile, match=r"^failed to quantize: requantizing"):
        quantize(tmp_path / "q8.gguf", tmp_path / "q4.gguf", "Q4_0")
    quantize(tmp_path / "q8.gguf", tmp_path / "q4.gguf", "Q4_0", requantize=True)


def test_a_missing_or_damaged_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        quantize(tmp_path / "no.gguf", tmp_path / "out.gguf", "Q8_0")
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(BadModelFile):
        quantize(tmp_path / "bad.gguf", tmp_path / "out.gguf", "Q8_0")


@pytest.mark.parametrize("n_threads", [-1, 100_000, 2**31, 2**70])
def test_an_impossible_number_of_threads_is_refused(
    tmp_path: Path, source: Path, n_threads: int
) -> None:
    with pytest.raises(InvalidRequest, match=r"^n_threads"):
        quantize(source, tmp_path / "out.gguf", "Q8_0", n_threads=n_threads)
    assert [*tmp_path.iterdir()] == []


def test_a_target_that_cannot_be_written_is_an_error(tmp_path: Path, source: Path) -> None:
    with pytest.raises(FileNotFoundError):
        quantize(source, tmp_path / "no such folder" / "out.gguf", "Q8_0")


def test_a_target_that_is_no_file_stays_what_it_is(tmp_path: Path, source: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InvalidRequest, match="target: "):
        quantize(source, pipe, "Q8_0")
    assert pipe.is_fifo()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, source: Path) -> None:
    with pytest.raises(WriteFailed) as caught:
        quantize_natively(source, Path("/dev/full"))
    assert "disk" in caught.value.hint


@pytest.mark.parametrize("n_bytes", [0, 100, 50_000, 600_000])
def test_a_target_that_outgrows_its_limit_is_named_and_not_left(
    tmp_path: Path, source: Path, n_bytes: int
) -> None:
    target = tmp_path / "out.gguf"
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, most))
    try:
        with pytest.raises(WriteFailed) as caught:
            quantize(source, target, "Q8_0")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))
    assert caught.value.path == str(target)
    assert [*tmp_path.iterdir()] == []


def test_a_target_without_its_header_is_not_the_sources_fault(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_nothing(*_paths: object, **_options: object) -> None: ...

    monkeypatch.setattr(_core, "quantize_file", write_nothing)
    with pytest.raises(WriteFailed) as caught:
        quantize(source, tmp_path / "out.gguf", "Q8_0")
    assert caught.value.path == str(tmp_path / "out.gguf")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.unsanitized  # the sanitizers reserve far more than this limit
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux for the size in use")
def test_missing_memory_is_not_called_a_bad_file(tmp_path: Path, source: Path) -> None:
    program = f"""
import resource
from pathlib import Path
from jan_engine import OutOfMemory, backends
from tests.engine.test_quantization import quantize_natively
backends()
in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
room = in_use + 1_000_000  # less than the source, which is mapped as a whole
resource.setrlimit(resource.RLIMIT_AS, (room, room))
try:
    quantize_natively(Path({str(source)!r}), Path({str(tmp_path / "out.gguf")!r}))
except OutOfMemory as error:
    print(error.code)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "out_of_memory\n"
