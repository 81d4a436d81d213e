"""llama-server's own endpoints, in its words: what editors' plug-ins and scripts call."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jan_server.config import Settings

from tests import models
from tests.server.running import Running, running
from tests.server.test_cli import start

FIM = [f"<|fim_{name}|>" for name in ("prefix", "suffix", "middle")]
FILES = ["<|repo_name|>", "<|file_sep|>"]


@pytest.fixture(scope="module")
def filling_server(model_folder: Path) -> Iterator[Running]:
    """Knows gaps, and files of a repository."""
    path = models.write_scripted(model_folder / "gaps.gguf", {}, words=[*FIM, *FILES])
    with running(Settings(model=str(path), parallel=2, ctx_size=512, threads=1)) as server:
        yield server


def test_a_completion_has_llama_servers_fields(alphabet_server: Running) -> None:
    for path in ("/completion", "/completions"):
        body = {"prompt": "a", "n_predict": 3, "temperature": 0, "return_tokens": True}
        told = alphabet_server.post(path, body).json()
        assert (told["content"], told["stop"], told["stop_type"]) == ("bcd", True, "limit")
        assert (told["tokens"], told["index"]) == (models.byte_tokens("bcd"), 0)
        assert (told["tokens_predicted"], told["tokens_evaluated"]) == (3, 2)
        assert told["timings"]["predicted_n"] == 3
        assert told["generation_settings"]["n_predict"] == 3
        assert (told["prompt"], told["model"], told["truncated"]) == ("a", "alphabet", False)
        assert not {"choices", "object", "usage"} & told.keys()


def test_without_a_limit_it_ends_with_the_model(alphabet_server: Running) -> None:
    told = alphabet_server.post("/completion", {"prompt": "a", "temperature": 0}).json()
    assert (told["content"], told["stop_type"]) == ("bcdefghijklmnopqrstuvwxyz", "eos")
    stopped = alphabet_server.post("/completion", {"prompt": "a", "stop": ["e"]}).json()
    assert (stopped["content"], stopped["stop_type"], stopped["stopping_word"]) == (
        "bcd",
        "word",
        "e",
    )


def test_several_prompts_are_answered_in_a_list(alphabet_server: Running) -> None:
    body = {"prompt": ["a", [models.BOS, *models.byte_tokens("k")]], "n_predict": 2}
    told = alphabet_server.post("/completion", body | {"temperature": 0}).json()
    assert [(one["index"], one["content"]) for one in told] == [(0, "bc"), (1, "lm")]


def test_texts_and_tokens_mix_in_a_prompt(alphabet_server: Running) -> None:
    (k,) = models.byte_tokens("k")
    body = {"prompt": ["a", k], "n_predict": 2, "temperature": 0}
    told = alphabet_server.post("/completion", body).json()
    assert (told["content"], told["tokens_evaluated"]) == ("lm", 3)


def test_a_stream_is_llama_servers(alphabet_server: Running) -> None:
    body = {"prompt": "a", "n_predict": 3, "temperature": 0, "timings_per_token": True}
    frames = alphabet_server.events("/completion", body)
    assert "".join(one["content"] for one in frames) == "bcd"
    assert [one["stop"] for one in frames] == [*(False for _ in frames[1:]), True]
    assert [token for one in frames for token in one["tokens"]] == models.byte_tokens("bcd")
    assert (frames[-1]["stop_type"], frames[-1]["tokens_evaluated"]) == ("limit", 2)
    assert frames[-1]["has_new_line"] is False


def test_probabilities_have_llama_servers_names(alphabet_server: Running) -> None:
    body = {"prompt": "a", "n_predict": 2, "temperature": 0, "n_probs": 2}
    told = alphabet_server.post("/completion", body).json()["completion_probabilities"]
    assert [one["token"] for one in told] == ["b", "c"]
    assert [len(one["top_logprobs"]) for one in told] == [2, 2]
    frames = alphabet_server.events("/completion", body)
    streamed = [one for frame in frames for one in frame.get("completion_probabilities", [])]
    assert [one["token"] for one in streamed] == ["b", "c"]


def test_a_gap_is_filled_as_an_editor_asks(filling_server: Running) -> None:
    """What llama.vim sends."""
    body: dict[str, Any] = {
        "input_prefix": "def add(a, b):\n",
        "input_suffix": "\n",
        "input_extra": [{"filename": "one.py", "text": "x = 1\n"}, {"text": "y = 2\n"}],
        "prompt": "    re",
        "n_predict": 8,
        "n_indent": 4,
        "top_k": 40,
        "top_p": 0.9,
        "stop": ["never"],
        "samplers": ["top_k", "top_p", "infill"],
        "stream": False,
        "cache_prompt": True,
        "t_max_prompt_ms": 500,
        "t_max_predict_ms": 1000,
        "response_fields": [
            "content",
            "timings/prompt_n",
            "truncated",
            "generation_settings/n_ctx",
        ],
    }
    told = filling_server.post("/infill", body)
    assert told.status_code == 200, told.text
    assert told.json().keys() == set(body["response_fields"])
    whole = filling_server.post("/infill", {**body, "response_fields": []}).json()
    assert whole["prompt"] == (
        "<|repo_name|>myproject\n"
        "<|file_sep|>one.py\nx = 1\n<|file_sep|>tmp\ny = 2\n<|file_sep|>filename\n"
        "<s><|fim_prefix|>def add(a, b):\n    re<|fim_suffix|>\n<|fim_middle|>"
    )


def test_the_context_of_a_gap_is_cut_far_from_it(filling_server: Running) -> None:
    body = {
        "input_prefix": "p" * 1000 + "near",
        "input_suffix": "near" + "s" * 1000,
        "input_extra": [{"filename": "one.py", "text": "x" * 1000}],
        "n_predict": 100,
    }
    told = filling_server.post("/infill", body).json()
    assert told["tokens_evaluated"] <= 512 - 100
    assert "pnear<|fim_suffix|>nears" in told["prompt"]


def test_a_model_without_gaps_says_so(alphabet_server: Running) -> None:
    answer = alphabet_server.post("/infill", {"input_prefix": "a", "input_suffix": "b"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_feature")


WRONG: list[tuple[str, dict[str, Any], str | None]] = [
    ("/completion", {}, "prompt"),
    ("/completion", {"prompt": [2**40, "a"]}, None),
    ("/completion", {"prompt": "a", "n_predict": "x"}, "n_predict"),
    ("/infill", {"input_suffix": "a"}, "input_prefix"),
    ("/infill", {"input_prefix": "a", "input_suffix": "a", "input_extra": [{}]}, "input_extra"),
    ("/embedding", {}, "content"),
]


@pytest.mark.parametrize(("path", "body", "param"), WRONG)
def test_a_wrong_request_names_its_field(
    alphabet_server: Running, path: str, body: dict[str, Any], param: str | None
) -> None:
    answer = alphabet_server.post(path, body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_template_is_applied_without_an_answer(thinking_server: Running) -> None:
    body = {"model": "thinking", "messages": [{"role": "user", "content": "Hi"}]}
    told = thinking_server.post("/apply-template", body).json()
    assert told == {"prompt": "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"}
    chat = thinking_server.post("/v1/chat/completions", body).json()
    assert chat["prompt"] == told["prompt"]
    for path in ("/chat/completions/input_tokens", "/v1/chat/completions/input_tokens"):
        counted = thinking_server.post(path, body).json()["input_tokens"]
        assert counted == chat["usage"]["prompt_tokens"]


def test_a_server_says_what_requests_leave_open(thinking_server: Running) -> None:
    """--reasoning off, --chat-template-kwargs and -n, as llama-server has them."""
    told = thinking_server.served.settings
    messages = [{"role": "user", "content": "Hi"}]
    off = "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    for changed in ({"reasoning": "off"}, {"chat_template_kwargs": '{"enable_thinking": false}'}):
        settings = msgspec.structs.replace(told, n_predict=2, **changed)
        with running(settings) as server:
            prompt = server.post("/apply-template", {"messages": messages}).json()["prompt"]
            assert prompt.endswith(off)
            body = {"messages": messages, "enable_thinking": True}
            asked = server.post("/apply-template", body).json()["prompt"]
            assert not asked.endswith(off)
            for path, further in (
                ("chat/completions", body),
                ("completions", {"prompt": "Hi", "ignore_eos": True}),
            ):
                usage = server.post(f"/v1/{path}", further).json()["usage"]
                assert usage["completion_tokens"] == 2


def test_a_server_is_told_what_it_cannot_give_a_template(alphabet_path: Path) -> None:
    # A process of its own: a server's loop keeps the signals of the one that it ran in.
    server = start(str(alphabet_path), "--port", "0", "--chat-template-kwargs", "[1]")
    said = server.communicate(timeout=60)[1]
    assert server.returncode == 1
    assert "error: chat_template_kwargs: [1] is no JSON object" in said


def test_vectors_have_llama_servers_shape(random_server: Running) -> None:
    openai = random_server.post("/v1/embeddings", {"model": "random", "input": ["ab", "c"]}).json()
    for path, name in (("/embedding", "content"), ("/embeddings", "input")):
        told = random_server.post(path, {name: ["ab", "c"]}).json()
        assert [one["index"] for one in told] == [0, 1]
        for one, same in zip(told, openai["data"], strict=True):
            assert one["embedding"][0] == pytest.approx(same["embedding"], abs=1e-6)
    for how, size in ((-1, None), (0, 32760.0), (1, 1.0)):
        body = {"content": "ab", "embd_normalize": how}
        (vector,) = random_server.post("/embedding", body).json()[0]["embedding"]
        sizes: list[float] = [abs(number) for number in vector]
        norm = {0: max(sizes), 1: math.fsum(sizes)}.get(how)
        assert size is None or norm == pytest.approx(size)


def test_what_a_server_is_has_llama_servers_names(alphabet_server: Running) -> None:
    told = alphabet_server.get("/props").json()
    assert told["modalities"] == {"vision": False, "audio": False}
    assert told["default_generation_settings"]["n_ctx"] == 512
    assert (told["total_slots"], told["is_sleeping"]) == (4, False)
    slots = alphabet_server.get("/slots").json()
    assert [slot["id"] for slot in slots] == [0, 1, 2, 3]
    assert slots[0].keys() >= {"id_task", "n_ctx", "speculative", "is_processing"}
    metrics = alphabet_server.get("/metrics").text
    for name in ("requests_processing", "requests_deferred", "prompt_tokens_total"):
        assert f"\nllamacpp:{name}{{" in metrics
    assert "\nllamacpp:tokens_predicted_total{" in metrics


def test_llama_servers_paths_are_ours(alphabet_server: Running) -> None:
    assert alphabet_server.get("/models").json() == alphabet_server.get("/v1/models").json()
    for path in ("/reranking", "/v1/reranking"):
        body = {"model": "alphabet", "query": "a", "documents": ["b"]}
        assert alphabet_server.post(path, body).json()["error"]["code"] == "not_implemented"
