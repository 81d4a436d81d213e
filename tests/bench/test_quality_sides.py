"""`jan bench quality` with settings for each side, and with a reference that a file holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jan_server.cli.main import main as jan

import jan_engine
from jan_bench.quality.kept import KeptReference
from jan_bench.quality.sides import Settings, settings_with
from jan_engine.errors import InvalidRequest
from tests import models

FEW = ("-c", "32", "--chunks", "3", "-t", "1", "--no-hash")
WIDE = replace(models.TINY, n_head=2, n_head_kv=2)  # a head has a block of every cache type
Told = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def q8_path(random_path: Path, model_folder: Path) -> Path:
    jan_engine.quantize(random_path, model_folder / "side-q8.gguf", "Q8_0")
    return model_folder / "side-q8.gguf"


@pytest.fixture
def rows(capsys: pytest.CaptureFixture[str]) -> Told:
    def ask(*arguments: object) -> list[dict[str, Any]]:
        assert jan(["bench", "quality", *FEW, *map(str, arguments), "-o", "json"]) == 0
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["rows"]
        return found

    return ask


def mean_kl(row: dict[str, Any]) -> float:
    found: float = row["figures"]["divergence"]["kl"]["mean"]["value"]
    return found


def test_compare_tells_two_cache_types_apart_window_by_window(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = models.write_random(tmp_path / "wide.gguf", shape=WIDE)
    for name in ("q8_0", "q4_0"):
        command = ["bench", "quality", "--ref", str(path), str(path), "-c", "32", "--no-hash"]
        command += ["--chunks", "12", "-t", "1", "--with", f"cache-type={name}"]
        assert jan([*command, "--save", str(tmp_path / name)]) == 0
    a, b = str(tmp_path / "q8_0"), str(tmp_path / "q4_0")
    capsys.readouterr()
    assert jan(["bench", "compare", a, b, "-o", "json"]) == 1  # it is worse, and that is told
    told = {one["figure"]: one for one in json.loads(capsys.readouterr().out)}
    kl = told["mean KLD, nats"]
    assert (kl["verdict"], kl["n_a"], kl["n_b"]) == ("worse", 12, 12)
    assert kl["where"].startswith("sample (")
    assert kl["where"].endswith(", windows of 32, against wide.gguf")
    # Perplexities of the same text differ by less than either is uncertain: windows are paired.
    assert told["PPL"]["high"] - told["PPL"]["low"] < 0.2
    assert jan(["bench", "compare", a, a]) == 0
    assert "| same top p" in capsys.readouterr().out
    other = tmp_path / "other.txt"
    other.write_text("Another text. " * 100)
    assert jan([*command, "-f", str(other), "--save", b]) == 0
    assert jan(["bench", "compare", a, b]) == 2  # nothing can be said of two texts


def test_what_a_cache_type_costs_is_measured_on_one_model(tmp_path: Path, rows: Told) -> None:
    path = models.write_random(tmp_path / "wide.gguf", shape=WIDE)
    settings = ("cache-type=f16", "cache-type=q8_0", "cache-type=q4_0")
    given = [part for setting in settings for part in ("--with", setting)]
    reference, *sides = rows("--ref", path, "--ref-with", settings[0], path, *given)
    assert reference["setting"] == settings[0]
    assert [row["setting"] for row in sides] == list(settings)
    same, half, quarter = [mean_kl(row) for row in sides]
    assert same == 0  # both sides computed the very same
    assert 0 < half < quarter


def test_kernels_are_a_setting_of_a_side(q8_path: Path, rows: Told) -> None:
    upstreams = "kernels=llama.cpp"
    _, same, other = rows(
        "--ref",
        q8_path,
        "--ref-with",
        upstreams,
        q8_path,
        "--with",
        upstreams,
        "--with",
        "threads=2",
    )
    assert mean_kl(same) == 0
    alone = rows(q8_path, "--no-jan-kernels")[0]["figures"]["ppl"]
    assert same["figures"]["ppl"] == alone
    assert rows(q8_path)[0]["figures"]["ppl"] == other["figures"]["ppl"]


def test_a_reference_in_a_file_is_as_one_in_memory(
    random_path: Path, q8_path: Path, tmp_path: Path, rows: Told
) -> None:
    kept = tmp_path / "kept"
    in_memory = rows("--ref", random_path, q8_path, "--save-ref", kept)
    assert KeptReference(kept).facts.settings.n_windows == 3
    assert rows("--ref", kept, q8_path) == in_memory
    assert rows("--ref", kept, q8_path, "-ub", "5")[0] == in_memory[0]
    first = rows("--ref", kept, q8_path, "--chunks", "1")
    assert first[0]["figures"]["n_tokens"] == 15
    # Without anybody to compare it with, it is the same file.
    (alone,) = rows("--ref", random_path, "--save-ref", tmp_path / "alone")
    assert alone["figures"] == in_memory[0]["figures"]
    assert (tmp_path / "alone").read_bytes() == kept.read_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".partial"] == []


def test_lots_of_models_share_a_reference_that_is_kept(
    random_path: Path,
    q8_path: Path,
    tmp_path: Path,
    rows: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jan_bench.quality.reading._free_bytes", lambda: 0)
    sides = (q8_path, random_path)
    together = rows("--ref", random_path, *sides, "--save-ref", tmp_path / "kept")
    assert rows("--ref", tmp_path / "kept", *sides) == together


def test_a_file_that_is_none_or_not_whole_is_refused(
    random_path: Path, tmp_path: Path, rows: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    rows("--ref", random_path, "--save-ref", kept)
    whole = kept.read_bytes()
    for damaged, why in (
        (whole[:-1], "bytes where its head says"),
        (whole[:40], "is damaged"),
        (whole.replace(b'"n_vocab":', b'"n_vocab":"'), "is damaged"),
        (whole.replace(b'"n_windows":3', b'"n_windows":0'), "is damaged"),
    ):
        kept.write_bytes(damaged)
        assert jan(["bench", "quality", "--ref", str(kept), str(random_path), *FEW]) == 2
        said = capsys.readouterr().err
        assert said.startswith("error: ref: ")
        assert why in said


def test_without_room_for_it_that_is_said_before_anything_is_computed(
    random_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jan_bench.quality.kept._ROOM_LEFT", 1 << 60)
    command = ["bench", "quality", "--ref", str(random_path), "--save-ref", str(tmp_path / "kept")]
    assert jan([*command, *FEW]) == 4
    said = capsys.readouterr()
    assert "are free; fewer --chunks take less" in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["{model}", "--with", "cache-type=q5"], "with: cache-type cannot be 'q5'"),
        (["{model}", "--with", "sparkle=1"], "with: 'sparkle=1' is not NAME=VALUE of cache-type"),
        (["{model}", "--with", "threads"], "with: 'threads' is not NAME=VALUE of cache-type"),
        (["{model}", "--ref-with", "threads=1"], "ref-with: there is no --ref"),
        (["{model}", "--ref", "{kept}", "--ref-with", "threads=1"], "ref-with: "),
        (["{model}", "--ref", "{kept}", "-f", "{model}"], "file: {kept} was made of another text"),
        (["{model}", "--ref", "{kept}", "--chunks", "4"], "chunks: {kept} was made of 3"),
        (["{other}", "--ref", "{kept}"], "model: {other} has another vocabulary"),
        (["{model}", "--save-ref", "new"], "save-ref: needs --ref MODEL"),
        ([], "model: there is none to measure"),
    ],
)
def test_what_cannot_be_is_said_by_name(
    wrong: list[str],
    said: str,
    random_path: Path,
    tmp_path: Path,
    rows: Told,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = models.write_scripted(tmp_path / "worded.gguf", {}, words=[" the", " of"])
    paths = {"model": random_path, "other": other, "kept": tmp_path / "kept"}
    rows("--ref", random_path, "--save-ref", paths["kept"])
    given = [text.format(**paths) for text in wrong]
    assert jan(["bench", "quality", *FEW, *given]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said.format(**paths)}")


def test_settings_are_read_by_the_names_of_flags() -> None:
    found = settings_with(Settings(), "cache-type=q8_0, flash-attn=on,kernels=llama.cpp", "with")
    assert found == Settings(
        cache_type_k="q8_0", cache_type_v="q8_0", flash_attn=1, jan_kernels=False
    )
    assert settings_with(Settings(), "cache-type-v=f32", "with") == Settings(cache_type_v="f32")
    with pytest.raises(InvalidRequest, match=r"^with: n-gpu-layers cannot be 'many'"):
        settings_with(Settings(), "n-gpu-layers=many", "with")
