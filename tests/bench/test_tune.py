"""`jan tune`: what is proposed from what was measured, and measuring itself on a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jan_server.cli.main import main

from jan_bench.tune.proposal import Memory, Pace, best_model, best_threads, propose
from jan_bench.tune.trials import tune
from tests import models

GB = 1 << 30


def pace(n_streams: int, decode: float, *, n_threads: int = 4, prompt: float = 1000.0) -> Pace:
    return Pace(n_threads=n_threads, n_streams=n_streams, prompt=prompt, decode=decode)


def memory(free: int = 64 * GB, cell: float = 32768.0) -> Memory:
    return Memory(free=free, weights=GB, cell={"f16": cell, "q8_0": cell * 17 / 32})


WIDENING = [pace(1, 20), pace(2, 38), pace(4, 70), pace(8, 110), pace(16, 150), pace(32, 155)]


def test_as_few_threads_as_are_about_as_good() -> None:
    one, two, four = (pace(1, rate, n_threads=n) for n, rate in ((1, 10), (2, 19.9), (4, 20)))
    assert best_threads([one, two, four]) == 2
    reading = [pace(1, 20, n_threads=2), pace(1, 20, n_threads=4, prompt=2000)]
    assert best_threads(reading) == 4


def test_streams_while_they_pay_and_can_be_read_along() -> None:
    free = propose(WIDENING, memory(), n_ctx_train=8192, least_rate=8)
    assert (free.parallel, free.ctx_size, free.cache_type) == (16, 8192, "f16")
    assert propose(WIDENING, memory(), n_ctx_train=8192, least_rate=12).parallel == 8
    assert propose(WIDENING, memory(), n_ctx_train=8192, least_rate=100).parallel == 1


def test_a_context_that_fits_then_a_smaller_cache_then_fewer_streams() -> None:
    fits = propose(WIDENING, memory(12 * GB), n_ctx_train=131072, least_rate=8)
    assert (fits.parallel, fits.ctx_size, fits.cache_type) == (16, 16384, "f16")
    halved = propose(WIDENING, memory(4 * GB), n_ctx_train=131072, least_rate=8)
    assert (halved.parallel, halved.ctx_size, halved.cache_type) == (16, 8192, "q8_0")
    fewer = propose(WIDENING, memory(int(1.5 * GB)), n_ctx_train=131072, least_rate=8)
    assert (fewer.parallel, fewer.ctx_size, fewer.cache_type) == (4, 2048, "q8_0")
    for one in (fits, halved, fewer):
        bytes_needed = one.parallel * one.ctx_size * 32768 * (1 if one is fits else 17 / 32)
        assert bytes_needed < 12 * GB
    none = propose(WIDENING, memory(GB), n_ctx_train=131072, least_rate=8)
    assert none.ctx_size == 0
    assert "no room" in " ".join(none.reasons)


def test_of_several_files_the_best_that_is_fast_enough_and_fits() -> None:
    alone = {"q2": pace(1, 30), "q4": pace(1, 20), "q8": pace(1, 11), "f16": pace(1, 6)}
    bits = {"q2": 2.6, "q4": 4.8, "q8": 8.5, "f16": 16.0}
    everywhere = dict.fromkeys(alone, True)
    assert best_model(alone, bits, everywhere, 8) == "q8"
    assert best_model(alone, bits, everywhere, 15) == "q4"
    assert best_model(alone, bits, everywhere, 50) == "q2"
    assert best_model(alone, bits, {**everywhere, "q8": False}, 8) == "q4"


def test_a_model_is_measured(random_path: Path) -> None:
    seen: list[Pace] = []
    tuned = tune(random_path, least_rate=1, watch=seen.append)
    assert seen == [*tuned.threads, *tuned.streams[1:]]
    assert tuned.streams[0] in tuned.threads
    assert [one.n_streams for one in tuned.streams][:2] == [1, 2]
    assert all(one.decode > 0 and one.prompt > 0 for one in seen)
    assert tuned.proposal.ctx_size == models.TINY.n_ctx
    assert tuned.fits


def test_the_verb_proposes_and_applies(
    random_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("JAN_HOME", str(tmp_path))
    assert main(["pull", str(random_path), "--id", "noise"]) == 0
    capsys.readouterr()
    assert main(["tune", "noise", "--apply"]) == 0
    told = capsys.readouterr()
    assert "jan serve noise --threads" in told.out
    assert "side by side" in told.err
    assert main(["show", "noise", "--json"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert set(settings) == {"threads", "parallel", "ctx_size", "cache_type"}
    assert main(["tune", "noise", "--emit-config"]) == 0
    assert 'cache_type = "f16"' in capsys.readouterr().out.splitlines()
    assert main(["tune", "noise", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["best"] == "noise"


def test_what_cannot_be_tuned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JAN_HOME", str(tmp_path))
    assert main(["tune", "nothing"]) == 3
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: ")
    for wrong in (["--least-rate", "0"], ["--apply", "other"]):
        with pytest.raises(SystemExit) as refused:
            main(["tune", "nothing", *wrong])
        assert refused.value.code == 2
