"""Every field of a request does what it says, or says that it does nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from jan_server.config import Settings
from jan_server.library.library import open_library

from tests import models
from tests.server.running import Running, running
from tests.server.several import ask, pool_of

HI = [{"role": "user", "content": "a"}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": HI, "max_tokens": 4},
    "/v1/completions": {"prompt": "a", "max_tokens": 4},
    "/v1/messages": {"messages": HI, "max_tokens": 4},
    "/v1/messages/count_tokens": {"messages": HI},
    "/v1/embeddings": {"input": "a"},
    "/extras/tokenize": {"input": "a"},
}


def complete(server: Running, **fields: object) -> dict[str, Any]:
    answer = server.post("/v1/completions", {"prompt": "a", "seed": 1, **fields})
    assert answer.status_code == 200, answer.text
    whole: dict[str, Any] = answer.json()
    return whole


def refused(server: Running, path: str, **fields: object) -> dict[str, Any]:
    answer = server.post(path, BODIES.get(path, {}) | fields)
    assert answer.status_code == 400, answer.text
    error: dict[str, Any] = answer.json()["error"]
    return error


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("given", [{}, {"model": ""}, {"model": None}])
def test_a_model_that_is_alone_need_not_be_named(
    random_server: Running, path: str, given: dict[str, object]
) -> None:
    answer = random_server.post(path, BODIES[path] | given)
    assert answer.status_code == 200, answer.text
    if path.startswith(("/v1/c", "/v1/embeddings")) or path == "/v1/messages":
        assert answer.json()["model"] == "random"


@pytest.mark.parametrize("path", BODIES)
def test_of_several_models_one_has_to_be_named(several: Running, path: str) -> None:
    assert refused(several, path)["param"] == "model"


def test_the_only_one_in_memory_is_meant(several: Running) -> None:
    assert ask(several, "two").status_code == 200
    answer = several.post("/v1/completions", {"prompt": "Who?"}).json()
    assert answer["model"] == "two"
    assert answer["choices"][0]["text"].startswith("two!")


def test_the_only_one_of_a_library_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "found").mkdir()
    models.write_random(tmp_path / "found" / "alone.gguf")
    with pool_of(tmp_path / "found", tmp_path / "home") as server:
        assert complete(server, max_tokens=2)["model"] == "alone"


@pytest.mark.parametrize("path", [*BODIES, "/v1/models", "/v1/models/start"])
def test_a_field_that_nobody_knows_is_refused_by_its_name(
    random_server: Running, path: str
) -> None:
    error = refused(random_server, path, surprise={"deep": [1, 2]})
    assert error["param"] == "surprise"
    assert "'surprise'" in error["message"]


def test_a_harmless_field_is_named_in_the_answer_s_head(random_server: Running) -> None:
    chat = BODIES["/v1/chat/completions"]
    harmless = {"store": False, "metadata": {"a": "b"}, "user": "me", "prompt_cache_key": "k"}
    headers = {"Idempotency-Key": "1"}
    for stream in (False, True):
        answer = random_server.post(
            "/v1/chat/completions?envelope=true",
            chat | harmless | {"stream": stream},
            headers=headers,
        )
        assert answer.status_code == 200, answer.text
        named = answer.headers["x-jan-ignored"].split(", ")
        assert set(named) == {*harmless, "?envelope", "Idempotency-Key"}
    plain = random_server.post("/v1/chat/completions", chat)
    assert "x-jan-ignored" not in plain.headers


def test_a_foreign_field_that_changes_the_answer_is_refused(random_server: Running) -> None:
    error = refused(random_server, "/v1/chat/completions", web_search_options={})
    assert (error["param"], error["code"]) == ("web_search_options", "unsupported_feature")
    assert refused(random_server, "/v1/completions", use_beam_search=True)["param"]
    # What asks for what happens anyway is as good as absent.
    same = {"use_beam_search": False, "n_discard": 0, "web_search_options": None}
    answer = random_server.post("/v1/completions", BODIES["/v1/completions"] | same)
    assert answer.status_code == 200, answer.text
    assert "x-jan-ignored" not in answer.headers


def test_temperature_0_takes_the_likeliest_token(random_path: Path, random_server: Running) -> None:
    greedy = {"temperature": 0, "max_tokens": 40, "ignore_eos": True}
    plain = complete(random_server, **greedy)
    assert plain["generation_settings"]["repeat_penalty"] == 1.0
    assert plain["choices"] == complete(random_server, **greedy, repeat_penalty=1)["choices"]
    penalised = complete(random_server, **greedy, repeat_penalty=1.1)
    assert penalised["generation_settings"]["repeat_penalty"] == pytest.approx(1.1)
    assert complete(random_server)["generation_settings"]["repeat_penalty"] == pytest.approx(1.1)
    told = Settings(model=str(random_path), threads=1, ctx_size=512, repeat_penalty=1.3)
    with running(told) as server:
        assert complete(server, **greedy)["generation_settings"]["repeat_penalty"] == pytest.approx(
            1.3
        )


SAMPLING = {  # of a file, as llama.cpp's converter writes them
    "general.sampling.temp": 0.6,
    "general.sampling.top_k": 20,
    "general.sampling.top_p": 0.9,
    "general.sampling.penalty_repeat": 1.05,
    "general.sampling.penalty_last_n": 128,
    "general.sampling.mirostat": 9,
}


@pytest.fixture(scope="module")
def asking_path(model_folder: Path) -> Path:
    return models.write_random(model_folder / "asking.gguf", extra=SAMPLING)


def test_a_file_s_sampling_is_the_default(asking_path: Path) -> None:
    with running(Settings(model=str(asking_path), threads=1, ctx_size=512, top_k=7)) as server:
        used = complete(server, max_tokens=2)["generation_settings"]
        assert used["temperature"] == pytest.approx(0.6)
        assert used["top_k"] == 7  # who started the server knows better
        assert used["top_p"] == pytest.approx(0.9)
        assert used["repeat_penalty"] == pytest.approx(1.05)
        assert used["repeat_last_n"] == 128
        assert used["mirostat"] == 0  # 9 is none
        greedy = complete(server, max_tokens=2, temperature=0, top_p=0.5)["generation_settings"]
        assert greedy["repeat_penalty"] == pytest.approx(1.05)  # somebody chose it
        assert greedy["top_p"] == pytest.approx(0.5)
        listed = server.get("/v1/models").json()["data"][0]
        assert (listed["temperature"], listed["top_p"]) == (0.6, 0.9)
        assert listed["parameters"]["top_k"] == "7"
        params = server.get("/props").json()["default_generation_settings"]["params"]
        assert (params["temperature"], params["top_k"], params["repeat_last_n"]) == (0.6, 7, 128)


def test_what_a_model_has_of_its_own_is_between_its_file_and_flags(
    asking_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "asking.gguf").symlink_to(asking_path)
    with pool_of(tmp_path / "found", tmp_path / "home", top_p=0.7, given_now=("top_p",)) as server:
        listed = server.get("/v1/models/asking").json()
        assert (listed["temperature"], listed["top_p"]) == (0.6, 0.7)

        async def change() -> None:
            library = await open_library(tmp_path / "home")
            await library.set_settings("asking", {"temperature": "0.2", "top_p": "0.1"})
            await library.close()

        asyncio.run(change())
        for listed in (
            server.get("/v1/models/asking").json(),
            server.get("/v1/models").json()["data"][0],
        ):
            assert (listed["temperature"], listed["top_p"]) == (0.2, 0.7)
        used = complete(server, model="asking", max_tokens=2)["generation_settings"]
        assert (used["temperature"], used["top_p"]) == (pytest.approx(0.2), pytest.approx(0.7))
        assert used["top_k"] == 20


PERSON: dict[str, object] = {
    "type": "object",
    "properties": {"age": {"enum": [1, 2]}},
    "required": ["age"],
    "additionalProperties": False,
}


def test_truncated_is_true_where_the_context_ran_full(random_path: Path) -> None:
    with running(Settings(model=str(random_path), threads=1, ctx_size=256)) as server:
        full = complete(server, ignore_eos=True, n_predict=-1)
        assert full["choices"][0]["finish_reason"] == "length"
        assert full["truncated"] is True
        assert complete(server, max_tokens=5, ignore_eos=True)["truncated"] is False


def test_response_fields_hold_in_streams(random_server: Running) -> None:
    for path in ("/v1/completions", "/v1/chat/completions"):
        body = BODIES[path] | {"response_fields": ["choices", "generation_settings/top_k"]}
        frames = random_server.events(path, body)
        assert frames.pop() == "[DONE]"
        assert all(frame.keys() <= {"choices", "generation_settings/top_k"} for frame in frames)
        assert frames[-1]["generation_settings/top_k"] == 40
        body |= {"response_fields": ["usage"], "stream_options": {"include_usage": True}}
        only, done = random_server.events(path, body)
        assert (list(only), done) == (["usage"], "[DONE]")


def test_tokens_of_several_choices_are_told_apart(random_server: Running) -> None:
    for path in ("/v1/completions", "/v1/chat/completions"):
        body = BODIES[path] | {"n": 3, "return_tokens": True, "ignore_eos": True, "seed": 1}
        answer = random_server.post(path, body).json()
        assert [len(choice["tokens"]) for choice in answer["choices"]] == [4, 4, 4]
        assert "tokens" not in answer
        alone = random_server.post(path, body | {"n": 1}).json()
        assert alone["tokens"] == alone["choices"][0]["tokens"] == answer["choices"][0]["tokens"]


def test_generation_settings_are_complete(random_server: Running) -> None:
    given: dict[str, Any] = {
        "n_indent": 0,
        "t_max_predict_ms": 5000,
        "id_slot": 1,
        "return_tokens": True,
        "timings_per_token": True,
        "return_progress": True,
        "grammar": 'root ::= "ab"',
        "n_keep": 2,
    }
    used = complete(random_server, **given)["generation_settings"]
    for name, value in given.items():
        assert used[name] == value, name
    form = {"type": "json_object"}
    used = complete(random_server, response_format=form, max_tokens=2)["generation_settings"]
    assert used["response_format"] == form
    used = complete(random_server, json_schema=PERSON, max_tokens=2)["generation_settings"]
    assert used["json_schema"] == PERSON


@pytest.mark.parametrize("stop", [[], ["e"]])
def test_the_tokens_of_log_probabilities_are_the_text(
    alphabet_server: Running, stop: list[str]
) -> None:
    for fields in ({"prompt": "v" if not stop else "a"}, {"prompt": "ab", "echo": True}):
        body = {**fields, "stop": stop, "logprobs": 1, "max_tokens": 40}
        choice = complete(alphabet_server, **body)["choices"][0]
        tokens = choice["logprobs"]["tokens"]
        start = 1 if "echo" in fields else 0  # the text's beginning has no text
        assert "".join(tokens[start:]) == choice["text"]
        assert len(tokens) == len(choice["logprobs"]["token_logprobs"])


def test_deterministic_requests_reuse_nothing_and_say_the_same(random_server: Running) -> None:
    def n_cached(answer: dict[str, Any]) -> int:
        return int(answer["usage"]["prompt_tokens_details"]["cached_tokens"])

    long = {"prompt": "abcdefgh" * 30, "max_tokens": 8, "logprobs": 3, "temperature": 1}
    complete(random_server, **long)
    assert n_cached(complete(random_server, **long)) > 0
    first, again = (complete(random_server, **long, deterministic=True) for _ in range(2))
    assert first["choices"] == again["choices"]
    assert n_cached(first) == n_cached(again) == 0
