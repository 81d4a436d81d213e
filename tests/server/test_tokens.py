"""/tokenize, /detokenize, /tokenizer_info: llama-server's words and vLLM's."""

from __future__ import annotations

from typing import Any

import pytest

from tests import models
from tests.server.running import Running


def test_a_content_becomes_tokens_as_llama_server_has_them(alphabet_server: Running) -> None:
    def tokens(content: object, **asked: object) -> Any:  # noqa: ANN401 - JSON
        answer = alphabet_server.post("/tokenize", {"content": content, **asked})
        assert list(answer.json()) == ["tokens"]
        return answer.json()["tokens"]

    assert tokens("ab") == models.byte_tokens("ab")
    assert tokens("</s>") == [models.EOS]
    assert tokens("</s>", parse_special=False) == models.byte_tokens("</s>")
    assert tokens("a", add_special=True) == [models.BOS, *models.byte_tokens("a")]
    assert tokens(["a", models.EOS, "b"]) == [
        *models.byte_tokens("a"),
        models.EOS,
        *models.byte_tokens("b"),
    ]
    assert tokens([models.EOS, "a"], add_special=True) == [models.EOS, *models.byte_tokens("a")]
    pieces = tokens("aé", with_pieces=True)
    assert [one["piece"] for one in pieces] == ["a", [0xC3], [0xA9]]


def test_a_prompt_becomes_tokens_as_vllm_has_them(alphabet_server: Running) -> None:
    body = {"model": "alphabet", "prompt": "ab", "return_token_strs": True}
    assert alphabet_server.post("/tokenize", body).json() == {
        "count": 3,
        "max_model_len": 512,
        "tokens": [models.BOS, *models.byte_tokens("ab")],
        "token_strs": ["<s>", "a", "b"],
    }
    bare = alphabet_server.post("/tokenize", {"prompt": "ab", "add_special_tokens": False}).json()
    assert (bare["count"], bare["tokens"]) == (2, models.byte_tokens("ab"))


def test_a_conversation_has_the_tokens_of_its_prompt(thinking_server: Running) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    counted = thinking_server.post("/tokenize", {"messages": messages}).json()
    text = thinking_server.post("/detokenize", {"tokens": counted["tokens"]}).json()
    assert text["content"] == text["prompt"]
    assert "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n" in text["content"]
    chat = thinking_server.post("/v1/chat/completions", {"model": "thinking", "messages": messages})
    assert chat.json()["usage"]["prompt_tokens"] == counted["count"]


def test_a_tokenizer_tells_its_special_tokens(thinking_server: Running) -> None:
    told = thinking_server.get("/tokenizer_info").json()
    assert (told["bos_token"], told["eos_token"]) == ("<s>", "</s>")
    assert told["pad_token"] is None
    assert "<|im_start|>" in told["chat_template"]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/tokenize", {}, "content"),
        ("/tokenize", {"content": "a", "prompt": "a"}, "prompt"),
        ("/tokenize", {"content": 3}, "content"),
        ("/tokenize", {"content": "a", "no_such": 1}, "no_such"),
        ("/detokenize", {}, "tokens"),
        ("/detokenize", {"tokens": [-1]}, "tokens"),
        ("/detokenize", {"tokens": [2**40]}, "tokens"),
    ],
)
def test_a_wrong_request_names_its_field(
    alphabet_server: Running, path: str, body: dict[str, object], param: str
) -> None:
    answer = alphabet_server.post(path, body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
