"""`jan bench serve` as people and programs meet it."""

from __future__ import annotations

import json
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from jan_server.cli.main import main

from tests.bench.peer import Answer, Peer, peer, steady

VLLM = {  # of `vllm bench serve --save-result`
    *("date", "endpoint_type", "backend", "label", "model_id", "tokenizer_id", "num_prompts"),
    *("request_rate", "burstiness", "max_concurrency", "duration", "completed", "failed"),
    *("total_input_tokens", "total_output_tokens", "request_throughput", "request_goodput"),
    *("output_throughput", "total_token_throughput", "latencies", "queue_times"),
    *("max_output_tokens_per_s", "max_concurrent_requests", "rtfx"),
    *(
        f"{kind}_{name}_ms"
        for kind in ("mean", "median", "std", "p50", "p90", "p95", "p99")
        for name in ("ttft", "tpot", "itl", "e2el")
    ),
}
DETAILED = {  # and of --save-detailed
    *("input_lens", "output_lens", "start_times", "ttfts", "itls", "generated_texts", "errors"),
}
FAST = ("--input-len", "8", "--output-len", "3", "-n", "4", "--warmup", "1")


def serve(found: Peer, *flags: str) -> int:
    return main(["bench", "serve", "--url", found.url, *FAST, *flags])


def test_the_json_has_vllms_keys_and_ours_apart(capsys: pytest.CaptureFixture[str]) -> None:
    with peer(steady(0.01, 0.005)) as found:
        assert serve(found, "-o", "json") == 0
        told = json.loads(capsys.readouterr().out)
    assert set(told) == VLLM | {"jan_bench"}
    ours = told["jan_bench"]
    assert ours["sampling"] == {"asked": {"temperature": 0.0}, "in_force": None}
    assert told["model_id"] == "the-first"  # nobody said which
    assert (told["completed"], told["failed"], told["total_output_tokens"]) == (4, 0, 12)
    assert ours["circumstances"]["command"] == "serve"
    assert "share nothing" in ours["circumstances"]["cache_policy"]
    assert 0 < ours["client"]["cpu_share"] < 1
    assert ours["circumstances"]["flags"]["server_says"] == {"total_slots": 3}  # no long texts


def test_details_are_one_entry_per_request(tmp_path: Path) -> None:
    with peer(steady(0.01, 0.005)) as found:
        flags = ("--concurrency", "1,2", "--save-detailed", "--result-dir", str(tmp_path / "new"))
        assert serve(found, *flags, "--label", "mine", "--model", "a/b") == 0
    one, two = sorted((tmp_path / "new").iterdir())
    assert one.name.startswith("mine-infqps-concurrency1-b-")
    told = json.loads(two.read_text())
    assert set(told) == VLLM | DETAILED | {"jan_bench"}
    assert all(len(told[name]) == 4 for name in DETAILED)
    assert [len(itl) for itl in told["itls"]] == [2] * 4
    assert told["max_concurrency"] == 2


def test_results_go_into_a_database(tmp_path: Path) -> None:
    with peer(steady(0, 0)) as found:
        assert serve(found, "--rate", "inf", "--db", str(tmp_path / "results.db")) == 0
    with closing(sqlite3.connect(tmp_path / "results.db")) as connection:
        ((command, result),) = connection.execute("SELECT command, result FROM jan_bench")
    assert command == "serve"
    assert json.loads(result)["request_rate"] == "inf"


def test_repeats_tell_how_far_apart_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with peer(steady(0, 0.001)) as found:
        flags = ("--concurrency", "1,2", "--repeats", "3", "--result-dir", str(tmp_path))
        assert serve(found, *flags, "--result-filename", "a.json", "-o", "json") == 0
        told = json.loads(capsys.readouterr().out)
        assert serve(found, *flags, "-o", "md") == 0
        table = capsys.readouterr().out.splitlines()
        assert serve(found, "--repeats", "0") == 2
    assert [one["jan_bench"]["repeat"] for one in told] == [1, 1, 2, 2, 3, 3]
    of_one = [one["output_throughput"] for one in told[::2]]
    spread = told[0]["jan_bench"]["over_repeats"]["output_throughput"]
    assert (spread["n"], spread["least"], spread["most"]) == (3, min(of_one), max(of_one))
    assert spread["std"] == pytest.approx(statistics.stdev(of_one))
    assert told[0]["jan_bench"]["circumstances"]["repeats"] == 3
    saved = json.loads((tmp_path / "a-1-at-once-repeat3.json").read_text())
    assert saved == told[4]  # with what was known at the end
    assert len(list(tmp_path.glob("a-*.json"))) == 6
    assert [line.split(" | ")[:2] for line in table[2:]] == [
        ["| 1 at once", "12"],
        ["| 2 at once", "12"],
    ]
    assert all(" to " in line.split(" | ")[3] for line in table[2:])


def test_a_person_sees_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    async def sometimes(answer: Answer) -> None:
        if answer.number % 3 == 2:
            answer.refuse(503)
        else:
            await steady(0.01, 0.002)(answer)

    with peer(sometimes) as found:
        assert serve(found, "--concurrency", "1,2", "--goodput", "ttft:900,tpot:900") == 0
        shown = capsys.readouterr().out
        assert serve(found, "--rate", "50,100", "-o", "md") == 0
        table = capsys.readouterr().out
    assert "the-first · 2 at once" in shown
    assert "Failed requests" in shown
    assert "http_503" in shown
    assert "requests/s with ttft ≤ 900 ms, tpot ≤ 900 ms" in shown
    assert "First token (TTFT)" in shown
    assert "…" not in shown
    assert table.splitlines()[0].startswith("| load | ok | failed |")
    assert "| 100 requests/s | " in table


def test_requests_carry_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    with peer(steady(0, 0)) as found:
        flags = ("--header", "X-Team=us", "--extra-body", '{"top_k": 3}', "--api", "chat")
        assert serve(found, *flags, "--no-ignore-eos") == 0
    head, body = found.heads[-1], found.bodies[-1]
    assert "POST /v1/chat/completions" in head
    assert "X-Team: us" in head
    assert "Authorization: Bearer secret" in head
    assert body["top_k"] == 3
    assert body["temperature"] == 0
    assert "ignore_eos" not in body
    assert body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--rate", "fast"], "rate: "),
        (["--rate", "0"], "rate: must be above 0"),
        (["--rate", "1", "--concurrency", "2"], "concurrency: "),
        (["--concurrency", "1.5"], "concurrency: "),
        (["--goodput", "tps:5"], "goodput: "),
        (["--goodput", "ttft:soon"], "goodput: "),
        (["--header", "nothing"], "header: "),
        (["--extra-body", "[]"], "extra_body: "),
        (["--num-prompts", "0"], "num_prompts: "),
        (["--burstiness", "0"], "burstiness: "),
        (["--dataset", "sharegpt"], "dataset_path: "),
        (["--dataset", "jsonl", "--dataset-path", "/nowhere"], "dataset_path: "),
        (["--dataset", "prefix_repetition"], "prefix_len: "),
        (["--", "--parallel", "3"], "url: "),
    ],
)
def test_what_cannot_be_asked_is_said_by_name(
    flags: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with peer(steady(0, 0)) as found:
        assert serve(found, *flags) == 2
    assert capsys.readouterr().err.startswith(f"error: {why}")


def test_no_url_and_no_model_is_nothing_to_measure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "serve"]) == 2
    assert "model: " in capsys.readouterr().err
    assert main(["bench", "serve", "--url", "ftp://somewhere"]) == 2
    assert "url: " in capsys.readouterr().err
    assert main(["bench", "serve", "-m", "/nowhere.gguf"]) == 3


def test_where_nobody_answers_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "serve", "--url", "http://127.0.0.1:9"]) == 4
    assert "no server answers" in capsys.readouterr().err
    assert main(["bench", "serve", "--url", "http://127.0.0.1:9", "-m", "any"]) == 4
    assert "connection" in capsys.readouterr().err


def test_failing_every_time_fails() -> None:
    async def first_two(answer: Answer) -> None:
        if answer.number < 2:
            await steady(0, 0)(answer)
        else:
            answer.refuse(500)

    with peer(first_two) as found:
        assert serve(found) == 4


@pytest.mark.unsanitized
def test_it_serves_the_model_itself(
    alphabet_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["-m", str(alphabet_path), "--input-len", "20", "--output-len", "5", "-n", "6"]
    of_server = ["--", "--threads", "1", "--ctx-size", "1024"]
    assert main(["bench", "serve", *flags, "--concurrency", "2", "-o", "json", *of_server]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (told["completed"], told["total_output_tokens"]) == (6, 30)
    assert told["total_input_tokens"] == pytest.approx(6 * 20, abs=6 * 5)
    assert told["model_id"] == "alphabet"
    under = told["jan_bench"]["circumstances"]
    assert under["models"][0]["sha256"]
    assert under["flags"]["server"] == of_server[1:]
    assert under["flags"]["server_says"]["engine"]["n_threads"] == 1


@pytest.mark.unsanitized
def test_a_server_that_does_not_start_says_why(
    alphabet_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "serve", "-m", str(alphabet_path), "--", "--threads", "many"]) == 4
    assert "--threads" in capsys.readouterr().err


@pytest.mark.unsanitized
def test_ctrl_c_tells_what_there_is() -> None:
    async def slowly(answer: Answer) -> None:
        await (steady(0, 0) if answer.number < 5 else steady(60, 0))(answer)

    with peer(slowly) as found:
        command = [sys.executable, "-m", "jan_server.cli.main", "bench", "serve"]
        command += ["--url", found.url]
        command += ["-n", "50", "--warmup", "0", "--output-len", "2", "-o", "json"]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        end_s = time.monotonic() + 20
        while len(found.bodies) < 6:
            assert time.monotonic() < end_s
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=20)
    assert running.returncode == 130, err
    told = json.loads(out)
    assert told["completed"] == 3
    assert told["failed"] == 0
    assert told["jan_bench"]["interrupted"]
    assert told["jan_bench"]["cancelled"] == 1
