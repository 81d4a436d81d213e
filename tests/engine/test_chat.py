"""Templates render within limits, and answers come back as messages, piece by piece."""

from __future__ import annotations

import json
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jan_engine import ChatDelta, ChatMessage, ChatTemplate, InvalidRequest, Model, TriggerKind
from tests.conftest import ROOT

TEMPLATES = sorted((ROOT / "vendor/llama.cpp/tree/models/templates").glob("*.jinja"))
USER: dict[str, object] = {"role": "user", "content": "What is the weather in Rome?"}
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}
WEATHER: dict[str, object] = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Forecasts", "parameters": PARAMETERS},
}
CLOCK: dict[str, object] = {
    "type": "function",
    "function": {"name": "get_time", "description": "Clocks", "parameters": PARAMETERS},
}
# As Qwen3 and others write it: reasoning between tags, a call as JSON between tags.
THINKING = """{%- if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>
Answer with <tool_call>{"name": <function-name>, "arguments": <args-json-object>}</tool_call>
{% endif %}{%- for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}
{%- if message.reasoning_content %}<think>\n{{ message.reasoning_content }}\n</think>\n\n{% endif %}
{%- if message.content %}{{ message.content }}{% endif %}
{%- for tool_call in message.tool_calls or [] %}{%- set call = tool_call.function %}
{{- '<tool_call>\n{"name": "' + call.name + '", "arguments": ' }}
{{- call.arguments | tojson if call.arguments is not string else call.arguments }}
{{- '}\n</tool_call>' }}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}
{%- if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}
{%- endif %}{% endif %}"""


@pytest.fixture(scope="module")
def qwen() -> ChatTemplate:
    return ChatTemplate(source=(TEMPLATES[0].parent / "Qwen-Qwen3-0.6B.jinja").read_text())


@pytest.fixture(scope="module")
def chatml() -> ChatTemplate:
    return ChatTemplate(source="chatml")


def read(prompt_text: str, template: ChatTemplate, size: int = 3) -> tuple[list[ChatDelta], bool]:
    parser = template.render([USER], tools=[WEATHER]).parser()
    deltas: list[ChatDelta] = []
    for at in range(0, len(prompt_text), size):
        deltas += parser.feed(prompt_text[at : at + size])
    deltas += parser.finish()
    return deltas, parser.is_complete


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_every_template_of_upstreams_collection_is_within_the_limits(path: object) -> None:
    template = ChatTemplate(source=path.read_text(), bos_token="<s>", eos_token="</s>")  # type: ignore[attr-defined]
    assert template.capabilities
    content: object = USER["content"]
    if "translategemma" in str(path):
        content = [{"type": "text", "text": "Hallo"}]
        options = {"source_lang_code": "de", "target_lang_code": "en"}
        prompt = template.render(
            [{"role": "user", "content": content}], chat_template_kwargs=options
        )
        assert "Hallo" in prompt.text
        return
    assert "weather in Rome" in template.render([USER]).text
    long = [{"role": "user", "content": "a\n" * 50_000}]
    assert len(template.render(long).text) > 50_000


HOSTILE = {
    "repeated string": "{{ 'x' * 999999999999 }}",
    "long range": "{% for i in range(999999999999) %}{% endfor %}",
    "loops in loops": "{% for i in range(9999) %}" * 4 + "x" + "{% endfor %}" * 4,
    "macro of itself": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "doubling": "{% set n = namespace(s='x' * 1000) %}{% for i in range(60) %}"
    "{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s | length }}",
    "replacing": "{{ ('x' * 100000) | replace('x', 'y' * 100000) }}",
    "replacing nothing": "{{ ('x' * 100000) | replace('', 'y' * 100000) }}",
    "indenting": "{{ ('x\\n' * 100000) | indent('y' * 100000) | length }}",
    "wide": "{{ 'x' | indent(99999999999, true) | length }}",
    "nested lists": "{% set n = namespace(x=[]) %}{% for i in range(100000) %}"
    "{% set n.x = [n.x] %}{% endfor %}{{ n.x | tojson }}",
    "printed lists": "{% set n = namespace(x=[]) %}{% for i in range(100000) %}"
    "{% set n.x = [n.x] %}{% endfor %}{{ n.x }}",
    "list in itself": "{% set a = [] %}{% set _ = a.append(a) %}{{ a | tojson }}",
    "list in itself, printed": "{% set a = [] %}{% set _ = a.append(a) %}{{ a }}",
    "list in itself, as text": "{% set a = [] %}{% set _ = a.append(a) %}{{ a | string }}",
    "namespace in itself": "{% set n = namespace(x=1) %}{% set n.x = n %}{{ n | tojson }}",
    "nested tuples as a key": "{% set n = namespace(x=()) %}{% for i in range(100000) %}"
    "{% set n.x = (n.x,) %}{% endfor %}{{ {n.x: 1} }}",
    "wide tuples": "{% set n = namespace(x=()) %}{% for i in range(60) %}"
    "{% set n.x = (n.x, n.x) %}{% endfor %}{{ n.x == n.x }}{{ n.x }}",
    "doubling lists": "{% set n = namespace(x=[1]) %}{% for i in range(60) %}"
    "{% set n.x = n.x + n.x %}{% endfor %}{{ n.x | length }}",
    "joining": "{% set s = 'xy' | replace('y', 'x' * 200000) %}{% set n = namespace(x=[s]) %}"
    "{% for i in range(16) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x | join('') | length }}",
    "sorting": "{% set s = 'xy' | replace('y', 'x' * 200000) %}{% set n = namespace(x=[s]) %}"
    "{% for i in range(18) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x | sort | length }}",
    "searching": "{% set s = 'xy' | replace('y', 'x' * 200000) %}{{ (s ~ 'z') in (s ~ s ~ s) }}",
    "brackets": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "blocks": "{% if true %}" * 5000 + "{% endif %}" * 5000,
    "terms": "{{ " + " ~ ".join(["a"] * 20_000) + " }}",
    "negations": "{{ " + "not " * 20_000 + "a }}",
    "branches": "{% if a %}" + "{% elif b %}" * 5000 + "{% endif %}",
    "long": "x" * 300_000,
    "unfinished": "{% for x in %}",
    "unclosed": "{{ 'x",
    "empty tag": "{{ }}",
}


@pytest.mark.parametrize("case", sorted(HOSTILE))
def test_a_hostile_template_is_an_error_soon(case: str) -> None:
    begun = time.process_time()
    with pytest.raises(InvalidRequest, match=r"^(chat_template|messages): "):
        ChatTemplate(source=HOSTILE[case]).render([USER])
    assert time.process_time() - begun < 10


@pytest.mark.unsanitized  # its frames are so large that the budget of stack is gone at once
def test_a_deep_list_goes_without_a_deep_stack() -> None:
    source = (
        "{% set n = namespace(x=[]) %}{% for i in range(2500) %}{% set n.x = [n.x] %}{% endfor %}"
        "{% set a = [] %}{% set _ = a.append(a) %}done"
    )
    found: list[str] = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(
            target=lambda: found.append(ChatTemplate(source=source).render([USER]).text)
        )
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert found == ["done"]


def test_a_template_that_raises_says_why() -> None:
    template = ChatTemplate(
        source="{{ raise_exception('no such thing') if messages | length > 9 }}"
    )
    with pytest.raises(InvalidRequest, match=r"^messages: .*no such"):
        template.render([USER] * 10)


def test_chatml_is_built_in(chatml: ChatTemplate) -> None:
    prompt = chatml.render([{"role": "system", "content": "Be brief."}, USER])
    assert prompt.text.startswith("<|im_start|>system\nBe brief.<|im_end|>\n")
    assert prompt.text.endswith("<|im_start|>assistant\n")
    assert prompt.generation_prompt == "<|im_start|>assistant\n"
    assert not prompt.grammar
    assert chatml.render([USER], add_generation_prompt=False).text.endswith("<|im_end|>\n")


def test_a_model_without_a_template_gets_chatml(alphabet: Model) -> None:
    assert "<|im_start|>user" in ChatTemplate(alphabet).render([USER]).text


def test_a_model_needs_no_tokens_and_no_template_needs_something(alphabet: Model) -> None:
    with pytest.raises(InvalidRequest, match=r"^bos_token: "):
        ChatTemplate(alphabet, bos_token="<s>")
    with pytest.raises(InvalidRequest, match=r"^chat_template: "):
        ChatTemplate()


def test_tools_make_a_lazy_grammar_with_triggers(qwen: ChatTemplate) -> None:
    prompt = qwen.render([USER], tools=[WEATHER])
    assert "get_weather" in prompt.text
    assert prompt.grammar_lazy
    assert "root ::=" in prompt.grammar
    assert [(t.kind, t.value.strip()) for t in prompt.triggers] == [
        (TriggerKind.WORD, "<tool_call>")
    ]
    assert "<tool_call>" in prompt.preserved
    forced = qwen.render([USER], tools=[WEATHER], tool_choice="required")
    assert forced.grammar
    assert not forced.grammar_lazy
    assert not qwen.render([USER], tools=[WEATHER], tool_choice="none").grammar


def test_a_named_tool_is_the_only_one(qwen: ChatTemplate) -> None:
    named = {"type": "function", "function": {"name": "get_time"}}
    prompt = qwen.render([USER], tools=[WEATHER, CLOCK], tool_choice=named)
    assert "get_time" in prompt.grammar
    assert "get_weather" not in prompt.grammar
    with pytest.raises(InvalidRequest, match=r"^tool_choice: no tool is called get_time"):
        qwen.render([USER], tools=[WEATHER], tool_choice=named)


def test_a_response_format_is_a_grammar(chatml: ChatTemplate) -> None:
    wanted = {"type": "json_schema", "json_schema": {"schema": PARAMETERS}}
    prompt = chatml.render([USER], response_format=wanted)
    assert "city" in prompt.grammar
    assert not prompt.grammar_lazy
    assert chatml.render([USER], json_schema=PARAMETERS).grammar == prompt.grammar
    assert chatml.render([USER], response_format={"type": "json_object"}).grammar
    assert not chatml.render([USER], response_format={"type": "text"}).grammar


def test_thinking_is_switched_by_the_template(qwen: ChatTemplate) -> None:
    assert "<think>" not in qwen.render([USER]).generation_prompt
    off = qwen.render([USER], enable_thinking=False)
    assert off.generation_prompt.endswith("<think>\n\n</think>\n\n")
    assert not off.reasoning_opened
    same = qwen.render([USER], chat_template_kwargs={"enable_thinking": False, "unknown": 1})
    assert same.text == off.text
    assert off.supports_thinking
    assert off.thinking_start == "<think>"
    assert off.thinking_ends == ["</think>"]


def test_an_opened_reasoning_is_seen() -> None:
    text = (TEMPLATES[0].parent / "Qwen-QwQ-32B.jinja").read_text()
    assert ChatTemplate(source=text).render([USER]).reasoning_opened


def test_the_last_message_may_be_continued(chatml: ChatTemplate) -> None:
    begun = {"role": "assistant", "content": "It is sunny"}
    prompt = chatml.render([USER, begun], continue_final_message=True)
    assert prompt.text.endswith("<|im_start|>assistant\nIt is sunny")
    parser = prompt.parser()
    deltas = parser.feed(" and warm.") + parser.finish()
    assert "".join(delta.content for delta in deltas) == " and warm."
    with pytest.raises(InvalidRequest, match=r"^continue_final_message: "):
        chatml.render([USER], continue_final_message=True)
    with pytest.raises(InvalidRequest, match=r"^continue_final_message: "):
        chatml.render([USER, begun], continue_final_message=True, add_generation_prompt=True)


BAD: list[tuple[str, dict[str, object]]] = [
    ("tools", {"tools": [{"type": "function"}]}),
    ("tools", {"tools": [{"type": "function", "function": {"name": "f", "parameters": 3}}]}),
    ("tools", {"tools": [WEATHER] * 300}),
    ("tool_choice", {"tool_choice": "sometimes"}),
    ("tool_choice", {"tool_choice": {"type": "function"}}),
    ("reasoning_format", {"reasoning_format": "x"}),
    ("response_format", {"response_format": {"type": "yaml"}}),
    ("response_format", {"response_format": {"type": "json_schema"}}),
    ("json_schema", {"json_schema": {"$ref": "http://x"}}),
    ("grammar", {"grammar": "root ::= x", "json_schema": {}}),
    ("grammar", {"grammar": "root ::= x", "tools": [WEATHER]}),
    ("chat_template_kwargs", {"chat_template_kwargs": {"messages": []}}),
    ("chat_template_kwargs", {"chat_template_kwargs": {"enable_thinking": "no"}}),
    ("continue_final_message", {"continue_final_message": "half"}),
]


@pytest.mark.parametrize(("field", "asked"), BAD)
def test_what_is_wrong_is_named(chatml: ChatTemplate, field: str, asked: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match=rf"^{field}: "):
        chatml.render([USER], **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "messages",
    [
        b"[]",
        b"{}",
        b"3",
        b'["x"]',
        b'[{"content": "x"}]',
        b'[{"role": "user", "content": 3}]',
        b'[{"role": "user", "content": [{"type": "image"}]}]',
    ],
)
def test_broken_messages_are_named(chatml: ChatTemplate, messages: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"^messages: "):
        chatml.render(messages)


def test_a_deep_message_ends_before_upstream(chatml: ChatTemplate) -> None:
    deep = b'[{"role": "user", "content": ' + b"[" * 50_000 + b"]" * 50_000 + b"}]"
    with pytest.raises(InvalidRequest, match="levels deep"):
        chatml.render(deep)


CALL = (
    '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome", "days": 3}}\n</tool_call>'
)


@pytest.mark.parametrize("size", [1, 2, 5, 17, 400])
def test_reasoning_content_and_calls_come_apart(qwen: ChatTemplate, size: int) -> None:
    text = f"<think>\nRome, then.\n</think>\n\nI shall look. {CALL}"
    parser = qwen.render([USER], tools=[WEATHER]).parser()
    deltas: list[ChatDelta] = []
    for at in range(0, len(text), size):
        deltas += parser.feed(text[at : at + size])
    deltas += parser.finish()
    message = parser.message
    assert parser.is_complete
    assert message.reasoning_content.strip() == "Rome, then."
    assert message.content.strip() == "I shall look."
    (call,) = message.tool_calls
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Rome", "days": 3})
    assert call.id.startswith("call_")
    assert "".join(delta.content for delta in deltas) == message.content
    calls = [delta.tool_call for delta in deltas if delta.tool_call]
    assert calls[0].name == "get_weather"
    assert all(not later.name for later in calls[1:])
    assert "".join(call.arguments for call in calls) == message.tool_calls[0].arguments


def test_an_answer_that_breaks_off_keeps_what_it_said(qwen: ChatTemplate) -> None:
    deltas, _ = read(f"I shall look. {CALL[:60]}", qwen)
    assert "".join(delta.content for delta in deltas).strip() == "I shall look."


def test_plain_text_is_told_as_it_comes(qwen: ChatTemplate) -> None:
    parser = qwen.render([USER]).parser()
    parser.feed("It will be sunny in Rome today.")
    (delta,) = parser.feed(" Tomorrow")
    assert delta == ChatDelta(content=" Tomorrow")
    assert not parser.feed(" <")  # what may become a tag waits, and blanks wait before one
    assert parser.feed("3")[0].content == " <3"


@settings(max_examples=150, deadline=5000)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(["<think>", "</think>", "<tool_call>", "</tool_call>", "{", "}", CALL]),
            st.text(max_size=20),
            st.sampled_from(["\n", "<", '"name": ', "<|im_end|>", "Rome "]),
        ),
        max_size=12,
    ),
    st.integers(1, 30),
)
def test_any_answer_is_the_same_in_any_pieces(parts: list[str], size: int) -> None:
    text = "".join(parts)
    whole, whole_ok = read(text, PROPERTY, max(1, len(text)))
    pieces, pieces_ok = read(text, PROPERTY, size)
    if whole_ok and pieces_ok:
        assert gathered(whole) == gathered(pieces)


PROPERTY = ChatTemplate(source=THINKING)


def gathered(deltas: list[ChatDelta]) -> ChatMessage:
    names = [delta.tool_call.name for delta in deltas if delta.tool_call]
    arguments = [delta.tool_call.arguments for delta in deltas if delta.tool_call]
    return ChatMessage(
        "".join(d.content for d in deltas),
        "".join(d.reasoning_content for d in deltas) + "".join(names) + "".join(arguments),
    )


def test_a_template_is_for_any_number_of_threads(qwen: ChatTemplate) -> None:
    expected = qwen.render([USER], tools=[WEATHER]).text
    found: list[str] = []

    def work() -> None:
        found.extend(qwen.render([USER], tools=[WEATHER]).text for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 20
