"""What every result records."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from jan_server.cli.main import main as jan

import jan_engine
from jan_bench.circumstances import circumstances
from jan_bench.model_file import read_model_file
from tests import models


def test_here_tells_machine_build_and_models(
    random_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert jan(["bench", "here", str(random_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["machine"]["cores"] >= told["machine"]["cores_allowed"] > 0
    assert told["machine"]["processor"]
    assert told["build"]["llama_cpp_build"] == jan_engine.build_info().llama_cpp_build
    assert told["build"]["cpu_variant"].startswith("cpu")
    assert told["clock"] == "std::chrono::steady_clock"
    (model,) = told["models"]
    assert model["sha256"] == [hashlib.sha256(random_path.read_bytes()).hexdigest()]
    assert model["n_bytes"] == random_path.stat().st_size
    assert model["quantization"] == "F32"
    assert model["bits_per_weight"] == 32


def test_every_part_of_a_split_model_is_hashed(tmp_path: Path) -> None:
    models.write_random(tmp_path / "split.gguf", n_parts=2)
    parts = sorted(tmp_path.glob("split-*.gguf"))
    model = read_model_file(parts[0])
    assert model.sha256 == [hashlib.sha256(part.read_bytes()).hexdigest() for part in parts]
    assert model.n_bytes == sum(part.stat().st_size for part in parts)
    assert read_model_file(parts[0], hashed=False).sha256 == []


def test_whoever_only_asks_loads_no_backend() -> None:
    told = circumstances("serve", flags={"rate": 1}, computes=False)
    assert told.build.cpu_variant == ""
    assert told.build.devices == []
    assert told.clock == "clock_gettime(CLOCK_MONOTONIC)"
    assert told.flags == {"rate": 1}


def test_a_name_is_what_it_is_to_other_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert jan(["bench", "here", "--no-hash", "jan-demo"]) == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["path"].endswith(".gguf")


def test_no_such_model_ends_with_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert jan(["bench", "here", "nowhere.gguf"]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "error: there is no model file nowhere.gguf\n"


def test_a_verb_that_is_none_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        jan(["bench", "nothing"])
    assert exit_.value.code == 2
    assert "here" in capsys.readouterr().err
