"""/v1/completions, mostly through the official client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jan_server.cli.settings import read_settings
from jan_server.config import Settings
from openai import BadRequestError, OpenAI

from jan_engine import KernelReason
from tests import models
from tests.server.running import Running, running

REST = models.ALPHABET[1:]


@pytest.fixture
def client(alphabet_server: Running) -> OpenAI:
    return OpenAI(base_url=alphabet_server.url + "/v1", api_key="placeholder", max_retries=0)


def test_an_answer_has_its_text_its_end_and_its_cost(client: OpenAI) -> None:
    answer = client.completions.create(model="alphabet", prompt="a", max_tokens=40)
    assert answer.id.startswith("cmpl-")
    assert answer.object == "text_completion"
    assert answer.choices[0].text == REST
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage
    assert answer.usage.prompt_tokens == 2  # BOS and a
    assert answer.usage.completion_tokens == len(REST) + 1
    assert answer.usage.total_tokens == 2 + len(REST) + 1


def test_sixteen_tokens_unless_asked_otherwise(alphabet_server: Running) -> None:
    def text(**asked: object) -> tuple[str, str]:
        body = {"model": "alphabet", "prompt": "a", **asked}
        choice = alphabet_server.post("/v1/completions", body).json()["choices"][0]
        return choice["text"], choice["finish_reason"]

    assert text() == (REST[:16], "length")
    assert text(n_predict=-1) == (REST, "stop")
    assert text(n_predict=3) == (REST[:3], "length")
    assert text(n_predict=3, max_tokens=5) == (REST[:5], "length")
    assert text(max_tokens=5, max_completion_tokens=7) == (REST[:7], "length")
    assert text(n_predict=0) == ("", "length")
    assert text(max_tokens=None) == (REST[:16], "length")


def test_a_stop_text_ends_the_answer_and_is_not_in_it(alphabet_server: Running) -> None:
    body = {"model": "alphabet", "prompt": "a", "max_tokens": 40, "stop": ["xyz", "mno"]}
    answer = alphabet_server.post("/v1/completions", body).json()
    assert answer["choices"][0]["text"] == "bcdefghijkl"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert (answer["stop_type"], answer["stopping_word"]) == ("word", "mno")


def test_every_form_of_prompt_is_read(client: OpenAI) -> None:
    a, x = [models.BOS, *models.byte_tokens("a")], [models.BOS, *models.byte_tokens("x")]
    forms: list[Any] = ["x", ["x"], x, [x]]
    for prompt in forms:
        answer = client.completions.create(model="alphabet", prompt=prompt)
        assert [choice.text for choice in answer.choices] == ["yz"]
    for prompt in (["x", "a"], [x, a]):
        answer = client.completions.create(model="alphabet", prompt=prompt, n=2, max_tokens=40)
        assert [choice.text for choice in answer.choices] == ["yz", "yz", REST, REST]
        assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
        assert answer.usage
        assert answer.usage.prompt_tokens == 4


def test_a_stream_says_the_same_as_a_whole_answer(client: OpenAI) -> None:
    texts = ["", "", "", ""]
    ends: dict[int, str] = {}
    usage = None
    stream = client.completions.create(
        model="alphabet",
        prompt=["a", "x"],
        n=2,
        max_tokens=40,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.text
            if choice.finish_reason:
                ends[choice.index] = choice.finish_reason
        usage = chunk.usage or usage
    assert texts == [REST, REST, "yz", "yz"]
    assert ends == dict.fromkeys(range(4), "stop")
    assert len({chunk.id for chunk in chunks}) == 1
    assert usage
    assert usage.completion_tokens == 2 * (len(REST) + 1) + 2 * 3


def test_the_last_frame_of_a_stream_has_the_details_and_done_follows(
    alphabet_server: Running,
) -> None:
    body: dict[str, object] = {"model": "alphabet", "prompt": "w"}
    frames = alphabet_server.events("/v1/completions", body)
    assert frames.pop() == "[DONE]"
    assert [frame["choices"][0]["finish_reason"] for frame in frames[:-1]] == [None] * (
        len(frames) - 1
    )
    assert not any("timings" in frame for frame in frames[:-1])
    last = frames[-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["timings"]["predicted_n"] == 4
    assert last["prompt"] == "w"
    assert "usage" not in last


def test_echo_puts_the_prompt_first(client: OpenAI, alphabet_server: Running) -> None:
    answer = client.completions.create(model="alphabet", prompt="w", echo=True)
    assert answer.choices[0].text == "wxyz"
    as_tokens = client.completions.create(
        model="alphabet", prompt=models.byte_tokens("w"), echo=True
    )
    assert as_tokens.choices[0].text == "wxyz"
    body = {"model": "alphabet", "prompt": "w", "echo": True}
    frames = alphabet_server.events("/v1/completions", body)[:-1]
    assert "".join(frame["choices"][0]["text"] for frame in frames) == "wxyz"


def test_log_probabilities_have_openai_s_old_shape(client: OpenAI) -> None:
    answer = client.completions.create(model="alphabet", prompt="w", logprobs=2)
    logprobs = answer.choices[0].logprobs
    assert logprobs
    assert logprobs.tokens
    assert logprobs.tokens == ["x", "y", "z", ""]  # the end of the text has no text
    assert "".join(logprobs.tokens) == answer.choices[0].text
    assert logprobs.text_offset == [0, 1, 2, 3]
    assert logprobs.top_logprobs
    assert [len(best) for best in logprobs.top_logprobs] == [2] * 4
    assert logprobs.token_logprobs
    assert all(-0.01 < logprob <= 0 for logprob in logprobs.token_logprobs)


def test_streamed_log_probabilities_are_those_of_the_whole(alphabet_server: Running) -> None:
    body = {"model": "alphabet", "prompt": "w", "logprobs": 1, "seed": 1}
    whole = alphabet_server.post("/v1/completions", body).json()["choices"][0]["logprobs"]
    joined: dict[str, list[Any]] = {name: [] for name in whole}
    for frame in alphabet_server.events("/v1/completions", body)[:-1]:
        logprobs = frame["choices"][0]["logprobs"]
        if logprobs is not None:
            for name, values in joined.items():
                values += logprobs[name]
    assert joined["tokens"] == whole["tokens"]
    assert joined["text_offset"] == whole["text_offset"]
    assert joined["token_logprobs"] == pytest.approx(whole["token_logprobs"], abs=1e-3)


@pytest.mark.parametrize("after_sampling", [False, True])
def test_n_probs_gives_llama_cpp_s_shape(alphabet_server: Running, after_sampling: bool) -> None:
    body = {
        "model": "alphabet",
        "prompt": "w",
        "n_probs": 3,
        "post_sampling_probs": after_sampling,
        "max_tokens": 1,
    }
    (token,) = alphabet_server.post("/v1/completions", body).json()["choices"][0]["logprobs"][
        "content"
    ]
    one, best = ("prob", "top_probs") if after_sampling else ("logprob", "top_logprobs")
    assert set(token) == {"id", "token", "bytes", one, best}
    assert (token["token"], token["bytes"]) == ("x", [ord("x")])
    assert token[one] == pytest.approx(1.0 if after_sampling else 0.0, abs=1e-3)
    assert token[best][0]["token"] == "x"


def test_the_same_seed_draws_the_same_and_choices_differ(random_server: Running) -> None:
    def texts(seed: int) -> list[str]:
        body = {"model": "random", "prompt": "abc", "n": 3, "temperature": 1.5, "seed": seed}
        answer = random_server.post("/v1/completions", body).json()
        return [choice["text"] for choice in answer["choices"]]

    first = texts(5)
    assert len(set(first)) == 3
    assert texts(5) == first
    assert texts(2**40 + 5) != first
    assert texts(-1) != texts(-1)


def test_a_model_s_own_sampling_holds_for_requests_that_do_not_say(random_path: Path) -> None:
    settings = Settings(
        model=str(random_path), threads=1, temperature=0.0, top_k=7, frequency_penalty=0.5
    )
    body = {"model": random_path.stem, "prompt": "a", "max_tokens": 2}
    with running(settings) as server:
        usual = server.post("/v1/completions", body).json()["generation_settings"]
        said = server.post("/v1/completions", {**body, "temperature": 1.5, "top_k": 0}).json()
        chat = {"model": random_path.stem, "messages": [{"role": "user", "content": "a"}]}
        other = server.post("/v1/chat/completions", {**chat, "max_tokens": 2}).json()
    assert (usual["temperature"], usual["top_k"], usual["top_p"]) == (0.0, 7, 0.95)
    assert usual["frequency_penalty"] == 0.5
    asked = said["generation_settings"]
    assert (asked["temperature"], asked["top_k"], asked["frequency_penalty"]) == (1.5, 0, 0.5)
    assert other["generation_settings"]["top_k"] == 7


@pytest.mark.parametrize(("said", "flash"), [("on", True), ("off", False)])
def test_the_attention_kernel_is_what_was_said(random_path: Path, said: str, flash: bool) -> None:
    environment = {"JAN_FLASH_ATTN": said, "JAN_THREADS": "1"}
    with running(read_settings([str(random_path)], environment)) as server:
        kernel = server.served.engine.attention_kernel
    assert (kernel.flash, kernel.reason) == (flash, KernelReason.GIVEN)


def test_best_of_keeps_the_likeliest(random_server: Running) -> None:
    body: dict[str, object] = {
        "model": "random",
        "prompt": "abc",
        "temperature": 1.9,
        "seed": 3,
        "logprobs": 0,
        "max_tokens": 8,
    }
    tried = random_server.post("/v1/completions", body | {"n": 4}).json()["choices"]
    best = random_server.post("/v1/completions", body | {"best_of": 4}).json()["choices"]
    assert len(best) == 1

    def likelihood(choice: dict[str, Any]) -> float:
        logprobs = choice["logprobs"]["token_logprobs"]
        return float(sum(logprobs) / len(logprobs))

    assert best[0]["text"] == max(tried, key=likelihood)["text"]


def test_logit_bias_bans_and_favours(alphabet_server: Running) -> None:
    b, q = models.byte_tokens("bq")
    body: dict[str, object] = {"model": "alphabet", "prompt": "a", "max_tokens": 1}

    def text(bias: object) -> object:
        answer = alphabet_server.post("/v1/completions", body | {"logit_bias": bias})
        return answer.json()["choices"][0]["text"]

    assert text({}) == "b"
    assert text({str(b): False, str(q): 100}) == "q"
    assert text({str(q): 100}) == "q"
    assert text([[q, 100]]) == "q"
    assert text([["q", 100]]) == "q"
    told = alphabet_server.post("/v1/completions", body | {"logit_bias": {str(b): False}}).json()
    assert told["generation_settings"]["logit_bias"] == [{"token": b, "bias": False}]


def test_llama_cpp_s_further_fields_are_there(alphabet_server: Running) -> None:
    body: dict[str, object] = {
        "model": "alphabet",
        "prompt": "w",
        "top_k": 7,
        "return_tokens": True,
        "samplers": ["dry", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"],
    }
    answer = alphabet_server.post("/v1/completions", body).json()
    assert answer["tokens"] == [*models.byte_tokens("xyz"), models.EOS]
    assert answer["generation_settings"]["top_k"] == 7
    assert answer["generation_settings"]["samplers"][0] == "penalties"  # the seed's own default
    assert answer["generation_settings"]["n_ctx"] == 512
    assert (answer["prompt"], answer["truncated"]) == ("w", False)
    assert answer["tokens_evaluated"] == 2
    assert answer["tokens_cached"] <= 1
    assert (answer["stop_type"], answer["stopping_word"]) == ("eos", "")
    timings = answer["timings"]
    assert timings["cache_n"] + timings["prompt_n"] == 2
    assert timings["predicted_n"] == 4
    only = alphabet_server.post(
        "/v1/completions", body | {"response_fields": ["tokens", "usage/total_tokens", "nothing"]}
    )
    assert only.json() == {"tokens": answer["tokens"], "usage/total_tokens": 6}


def test_tokens_and_timings_come_with_every_chunk_that_was_asked_for_them(
    alphabet_server: Running,
) -> None:
    body: dict[str, object] = {
        "model": "alphabet",
        "prompt": "w",
        "return_tokens": True,
        "timings_per_token": True,
    }
    frames = alphabet_server.events("/v1/completions", body)[:-1]
    tokens = [token for frame in frames for token in frame["tokens"]]
    assert tokens == [*models.byte_tokens("xyz"), models.EOS]
    assert all(frame["timings"]["predicted_n"] > 0 for frame in frames)


def test_a_stream_tells_how_far_its_prompt_is(random_server: Running) -> None:
    body: dict[str, object] = {
        "model": "random",
        "prompt": "how far? " * 40,
        "max_tokens": 2,
        "ignore_eos": True,
        "return_progress": True,
    }
    for n_before in (0, 1):  # tokens found in the cache
        frames = random_server.events("/v1/completions", body)[:-1]
        told = [frame["prompt_progress"] for frame in frames if "prompt_progress" in frame]
        total = frames[-1]["tokens_evaluated"]
        cached = frames[-1]["tokens_cached"]
        assert (cached > 100) == bool(n_before)  # an earlier prompt may begin alike
        assert {(one["total"], one["cache"]) for one in told} == {(total, cached)}
        processed = [one["processed"] for one in told]
        assert processed == sorted(processed)
        assert cached <= processed[0]  # a reader that is late finds the latest
        assert processed[-1] == total
        assert all(one["time_ms"] >= 0 for one in told)
        assert all("prompt_progress" not in frame for frame in frames[len(told) :])


def test_a_suffix_goes_around_the_gap(model_folder: Path) -> None:
    around = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"]
    prefix, suffix, middle = range(models.FIRST_WORD, models.FIRST_WORD + 3)
    said = {middle: models.byte_token(ord("x")), models.byte_token(ord("x")): models.EOS}
    path = models.write_scripted(model_folder / "filling.gguf", said, words=around)
    with running(Settings(model=str(path), parallel=1, ctx_size=256, threads=1)) as server:
        body = {"model": "filling", "prompt": "a", "suffix": "b", "return_tokens": True}
        answer = server.post("/v1/completions", body).json()
        asked = server.post("/v1/completions", body | {"prompt": ["a", "b"]})
    assert answer["choices"][0]["text"] == "x"
    a, b = models.byte_tokens("ab")
    assert answer["tokens_evaluated"] == len([models.BOS, prefix, a, suffix, b, middle])
    assert (asked.status_code, asked.json()["error"]["param"]) == (400, "suffix")


def test_a_time_limit_ends_the_answer_after_a_line(endless_server: Running) -> None:
    newline = {"logit_bias": {str(models.byte_tokens("\n")[0]): 100}}
    body = {"model": "endless", "prompt": "a", "n_predict": -1, "t_max_predict_ms": 50, **newline}
    choice = endless_server.post("/v1/completions", body).json()["choices"][0]
    assert choice["finish_reason"] == "length"
    assert "\n" in choice["text"]


def test_a_prompt_that_is_too_long_says_so_before_the_first_byte(client: OpenAI) -> None:
    for stream in (False, True):
        with pytest.raises(BadRequestError) as refused:
            client.completions.create(model="alphabet", prompt="a" * 600, stream=stream)
        assert refused.value.code == "context_length_exceeded"
