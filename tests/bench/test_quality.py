"""`jan bench quality` against numpy, and what it says to people and programs."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jan_server.cli.main import main as jan

import jan_engine
from jan_bench.circumstances import circumstances
from jan_bench.model_file import read_model_file
from jan_bench.quality.figures import Estimate, Quality, Scores, quality
from jan_bench.quality.formats import QUALITY_FORMATS, QualityReport, QualityRow
from jan_bench.quality.reading import SAMPLE, Text, measure, windows_of
from jan_bench.quality.sides import Settings, Side
from jan_bench.quality.tasks import TaskScore
from jan_engine import GreedyRunner, Model
from jan_engine.errors import InvalidRequest
from jan_engine.gauge import ScoredToken
from tests import models

FEW = ("-c", "32", "--chunks", "3", "-t", "1", "--no-hash")
Told = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def q8_path(random_path: Path, model_folder: Path) -> Path:
    jan_engine.quantize(random_path, model_folder / "q8.gguf", "Q8_0")
    return model_folder / "q8.gguf"


@pytest.fixture(scope="module")
def q4_path(random_path: Path, model_folder: Path) -> Path:
    jan_engine.quantize(random_path, model_folder / "q4.gguf", "Q4_0")
    return model_folder / "q4.gguf"


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """What it says as JSON."""

    def ask(*arguments: object) -> dict[str, Any]:
        assert jan(["bench", "quality", *map(str, arguments), *FEW, "-o", "json"]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return ask


def log_probabilities(path: Path, windows: list[list[int]]) -> np.ndarray:
    """By window, place and token, from a runner that reads one token at a time."""
    runner = GreedyRunner(Model(path, matrix_kernels=False), n_ctx=64, n_threads=1)
    found: list[list[list[float]]] = []
    for window in windows:
        runner.core.clear()
        found.append([])
        for token in window:
            runner.core.feed([token])
            found[-1].append(runner.core.logits())
    logits = np.array(found, dtype=np.float64)
    top = logits.max(axis=-1, keepdims=True)
    normal: np.ndarray = logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
    return normal


def pair(estimate: dict[str, float]) -> list[float]:
    return [estimate["value"], estimate["error"]]


def test_figures_are_those_of_the_logits(random_path: Path, q4_path: Path, told: Told) -> None:
    text = SAMPLE.read_bytes().removesuffix(b"\n")
    model = Model(random_path)
    windows = windows_of(model, text, Settings(n_ctx=32, n_windows=3))
    assert [len(window) for window in windows] == [32] * 3
    assert {window[0] for window in windows} == {model.vocab.bos}
    rows = told("--ref", random_path, q4_path, "--no-jan-kernels")["rows"]
    # As llama-perplexity: of 32 tokens the places 16 to 30 each score the token that follows.
    p, q = (
        log_probabilities(path, windows)[:, 16:31].reshape(45, -1)
        for path in (random_path, q4_path)
    )
    following = np.array([window[17:] for window in windows]).reshape(-1)
    base_nll, nll = (-x[np.arange(45), following] for x in (p, q))
    kl = (np.exp(p) * (p - q)).sum(axis=1)
    delta_p = np.exp(-nll) - np.exp(-base_nll)
    reference, figures = (row["figures"] for row in rows)
    assert reference["n_tokens"] == figures["n_tokens"] == 45

    def error(x: np.ndarray) -> float:
        return float(x.std(ddof=1) / np.sqrt(len(x)))

    def near(wanted: Any) -> Any:  # noqa: ANN401 - of pytest's own
        return pytest.approx(wanted, rel=1e-2, abs=1e-5)

    ppl, base = np.exp(nll.mean()), np.exp(base_nll.mean())
    assert pair(reference["ppl"]) == near([base, base * error(base_nll)])
    assert pair(figures["ppl"]) == near([ppl, ppl * error(nll)])
    of = figures["divergence"]
    assert pair(of["ln_ppl_ratio"]) == near([(nll - base_nll).mean(), error(nll - base_nll)])
    assert pair(of["kl"]["mean"]) == near([kl.mean(), error(kl)])
    assert of["kl"]["most"] == near(kl.max())
    for percent in ("0.1", "1", "10", "50", "90", "99", "99.9"):
        assert of["kl"]["percentiles"][percent] == near(np.percentile(kl, float(percent)))
    assert pair(of["delta_p"]["mean"]) == near([delta_p.mean(), error(delta_p)])
    assert of["delta_p_rms"]["value"] == near(np.sqrt((delta_p**2).mean()))
    share = (p.argmax(axis=1) == q.argmax(axis=1)).mean()
    assert pair(of["same_best"]) == near([share, np.sqrt(share * (1 - share) / 44)])


def test_errors_are_what_upstreams_formulas_say() -> None:
    rng = np.random.default_rng(3)
    base = rng.gamma(2.0, 1.5, 400)
    own = np.abs(base + rng.normal(0.05, 0.2, 400))
    scores = Scores()
    scores.add(ScoredToken(b, n, 0.1, True) for b, n in zip(base, own, strict=True))
    found = quality(scores, compared=True)
    of = found.divergence
    assert of
    # kl_divergence() in perplexity.cpp, from sums.
    n = len(base)
    variance = ((own**2).mean() - own.mean() ** 2) / (n - 1)
    base_variance = ((base**2).mean() - base.mean() ** 2) / (n - 1)
    covariance = ((own * base).mean() - own.mean() * base.mean()) / (n - 1)
    ppl, ppl_base = np.exp(own.mean()), np.exp(base.mean())
    ratio_error = np.sqrt(variance + base_variance - 2 * covariance)
    assert found.ppl.error == pytest.approx(ppl * np.sqrt(variance))
    assert of.ln_ppl_ratio.error == pytest.approx(ratio_error)
    assert of.ppl_ratio.value == pytest.approx(ppl / ppl_base)
    assert of.ppl_ratio.error == pytest.approx(ppl / ppl_base * ratio_error)
    assert of.correlation == pytest.approx(covariance / np.sqrt(variance * base_variance))
    difference = ppl**2 * variance + ppl_base**2 * base_variance - 2 * ppl * ppl_base * covariance
    assert of.ppl_difference.error == pytest.approx(np.sqrt(difference))
    squares = (np.exp(-own) - np.exp(-base)) ** 2
    rms = np.sqrt(squares.mean())
    square_error = np.sqrt(((squares**2).mean() - squares.mean() ** 2) / (n - 1))
    assert of.delta_p_rms.error == pytest.approx(0.5 / rms * square_error)


def test_fewer_bits_are_further_away(
    random_path: Path,
    q8_path: Path,
    q4_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["bench", "quality", "--ref", str(random_path), str(q4_path), str(q8_path), *FEW]
    assert jan(command) == 0
    head, _, *rows, _, text, foot = capsys.readouterr().out.splitlines()
    assert "mean KLD" in head
    assert [row.split("|")[1].strip() for row in rows] == [
        "random.gguf (reference)",
        "q8.gguf",
        "q4.gguf",
    ]
    assert text.startswith("45 tokens scored in 3 windows of 32, of sample (")
    assert foot.startswith("build: jan-engine ")


def test_models_that_do_not_fit_at_once_have_the_same_figures(
    random_path: Path,
    q8_path: Path,
    q4_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings(n_ctx=32, n_windows=2, n_threads=1)
    text = Text(name="sample", bytes=SAMPLE.read_bytes())
    seen: list[set[int]] = []

    def measured() -> object:
        seen.clear()
        return measure(
            text,
            Side(path=random_path, settings=settings),
            [Side(path=path, settings=settings) for path in (q8_path, q4_path, random_path)],
            lambda _, __, scores: seen.append(set(scores)),
        )

    together = measured()
    assert seen == [{0, 1, 2}] * 2
    monkeypatch.setattr("jan_bench.quality.reading._free_bytes", lambda: 0)
    assert measured() == together
    assert seen == [{0}, {0}, {1}, {1}, {2}, {2}]


def test_passes_of_any_size_say_the_same(random_path: Path, q4_path: Path, told: Told) -> None:
    whole, pieces = (
        told("--ref", random_path, q4_path, *ub)["rows"][1]["figures"] for ub in ([], ["-ub", "5"])
    )
    assert pair(pieces["ppl"]) == pytest.approx(pair(whole["ppl"]), rel=1e-2)
    of, of_whole = pieces["divergence"]["kl"], whole["divergence"]["kl"]
    assert pair(of["mean"]) == pytest.approx(pair(of_whole["mean"]), rel=0.05)


def test_without_a_reference_there_is_perplexity(
    random_path: Path, q8_path: Path, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = told(random_path, q8_path)["rows"]
    assert [row["is_reference"] for row in rows] == [False, False]
    assert "divergence" not in rows[0]["figures"] or rows[0]["figures"]["divergence"] is None
    compared = told("--ref", random_path, q8_path)["rows"]
    assert rows[0]["figures"]["ppl"] == compared[0]["figures"]["ppl"]
    assert rows[1]["figures"]["ppl"] == compared[1]["figures"]["ppl"]
    assert jan(["bench", "quality", str(random_path), *FEW]) == 0
    assert "KLD |" not in capsys.readouterr().out


def test_csv_and_sqlite_have_every_figure(
    random_path: Path, q8_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved, database = tmp_path / "saved.json", tmp_path / "results.db"
    command = ["bench", "quality", "--ref", str(random_path), str(q8_path), *FEW, "-o", "csv"]
    command += ["-t", "0"]
    assert jan([*command, "--save", str(saved), "--db", str(database)]) == 0
    reference, row = csv.DictReader(io.StringIO(capsys.readouterr().out))
    report = json.loads(saved.read_text())
    assert report["circumstances"]["flags"]["n_threads"] >= 1  # what 0 came to
    assert "none" in report["circumstances"]["flags"]["sampling"]
    figures = report["rows"][1]["figures"]
    assert row["quantization"] == "Q8_0"
    assert float(row["kl.mean.value"]) == figures["divergence"]["kl"]["mean"]["value"]
    assert float(row["kl.percentiles.99.9"]) == figures["divergence"]["kl"]["percentiles"]["99.9"]
    assert reference["is_reference"] == "1"
    assert reference["kl.mean.value"] == ""
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT command, quantization, result FROM jan_bench ORDER BY id"
        stored = connection.execute(query).fetchall()
    assert [one[:2] for one in stored] == [("quality", "F32"), ("quality", "Q8_0")]
    assert json.loads(stored[1][2])["figures"] == figures


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        (["-f", "nowhere.txt"], 2, "file: cannot read nowhere.txt"),
        (["-c", "4"], 2, "ctx-size: "),
        (["-ub", "0"], 2, "n_batch must be"),
        (["-c", "65536"], 2, "file: the text has"),
        (["nowhere.gguf"], 3, "there is no model file nowhere.gguf"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    wrong: list[str],
    status: int,
    said: str,
    random_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert jan(["bench", "quality", str(random_path), *FEW, *wrong]) == status
    assert f"error: {said}" in capsys.readouterr().err


def test_other_vocabularies_are_refused(
    random_path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = models.write_scripted(model_folder / "worded.gguf", {}, words=[" the", " of"])
    assert jan(["bench", "quality", "--ref", str(random_path), str(words), *FEW]) == 2
    assert "another vocabulary than the reference" in capsys.readouterr().err


def test_a_text_is_cut_as_llama_perplexity_does(random_model: Model) -> None:
    settings = Settings(n_ctx=16)
    text = b"a" * 33  # with the first token, 34: two windows, and two tokens left over
    windows = windows_of(random_model, text, settings)
    tokens = random_model.tokenize(text)
    assert windows == [tokens[:16], [tokens[0], *tokens[17:32]]]
    with pytest.raises(InvalidRequest, match="31 tokens, fewer than two windows of 16"):
        windows_of(random_model, b"a" * 30, settings)


def write_task(folder: Path) -> Path:
    """Which letter comes next: of four questions two have the answer that the alphabet has."""
    folder.mkdir()
    questions = [("abc", 0), ("xyw", 1), ("mno", 0), ("qrs", 1)]
    rows = [
        {"text": text, "choices": [chr(ord(text[-1]) + 1), "!"], "label": label}
        for text, label in questions
    ]
    (folder / "letters.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (folder / "letters.yaml").write_text(f"""\
task: letters
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder}/letters.jsonl}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{text}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: label
target_delimiter: ""
metric_list: [{{metric: acc}}]
""")
    return folder


@pytest.mark.filterwarnings("ignore")
def test_tasks_of_the_harness_are_asked_too(
    alphabet_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    pytest.importorskip("lm_eval")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    folder = write_task(tmp_path / "tasks")
    (row,) = told(alphabet_path, "--tasks", "letters", "--task-folder", folder)["rows"]
    (score,) = row["tasks"]
    assert (score["task"], score["metric"], score["n_samples"]) == ("letters", "acc", 4)
    assert score["value"] == 0.5
    assert 0 < score["error"] < 0.5


def test_without_the_harness_that_is_said_first(
    random_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    assert jan(["bench", "quality", str(random_path), *FEW, "--tasks", "arc_easy"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "tasks: lm-evaluation-harness is not here (pip install" in said.err


def test_scores_of_tasks_stand_in_a_table_of_their_own(random_path: Path) -> None:
    scores = [
        TaskScore(task="letters", metric="acc", value=0.5, error=0.25, n_samples=4),
        TaskScore(task="letters", metric="bleu", value=0.125),
    ]
    figures = Quality(n_tokens=9, ppl=Estimate(2.0, 0.1))
    row = QualityRow(
        model=read_model_file(random_path), is_reference=False, figures=figures, tasks=scores
    )
    report = QualityReport(
        circumstances=circumstances("quality", flags={}, computes=False),
        text="sample",
        text_sha256="0" * 64,
        n_ctx=32,
        n_windows=2,
        rows=[row],
    )
    lines = QUALITY_FORMATS["md"](report).splitlines()
    assert "| task | metric | random.gguf |" in lines
    assert "| letters | acc | 0.5000 ± 0.2500 |" in lines
    assert "| letters | bleu | 0.1250 |" in lines
    (flat,) = csv.DictReader(io.StringIO(QUALITY_FORMATS["csv"](report)))
    assert flat["letters.acc"] == "0.5"
