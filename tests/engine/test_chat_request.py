"""A chat prompt and the engine together: what the prompt asks for is what comes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from jan_engine import (
    AsyncEngine,
    ChatMessage,
    ChatPrompt,
    ChatTemplate,
    EngineOptions,
    FinishReason,
    Grammar,
    InvalidRequest,
    Model,
    Request,
    Sampling,
    Triggers,
)
from tests import models
from tests.conftest import ROOT

TEMPLATES = ROOT / "vendor/llama.cpp/tree/models/templates"
OPTIONS = EngineOptions(n_parallel=2, n_ctx=1024, calibrate_s=0)
USER: dict[str, object] = {"role": "user", "content": "Weather?"}
PLACE = {
    "type": "object",
    "properties": {"city": {"enum": ["Rome", "Oslo"]}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
WEATHER: dict[str, object] = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Forecasts", "parameters": PLACE},
}


def template(name: str, model: Model) -> ChatTemplate:
    return ChatTemplate(model, source=(TEMPLATES / f"{name}.jinja").read_text())


BLANKS: dict[int | str, float] = {"\t": -90.0, "\n": -90.0, " ": -90.0}
TERSE = Sampling(temperature=0, logit_bias=BLANKS)
# Noise that comes to the point: it begins a call when it may, and ends when it may.
EAGER = Sampling(temperature=0, logit_bias=BLANKS | {"g": 80.0, models.EOS: 90.0})


def answered(
    model: Model, prompt: ChatPrompt, sampling: Sampling = TERSE
) -> tuple[ChatMessage, bool, FinishReason]:
    async def run() -> tuple[ChatMessage, bool, FinishReason]:
        parser = prompt.parser()
        reason = FinishReason.FAILED
        async with (
            AsyncEngine(model, OPTIONS) as engine,
            engine.submit(prompt.request(max_tokens=400, sampling=sampling)) as stream,
        ):
            async for event in stream:
                parser.feed(event.text)
                reason = event.finish.reason if event.finish else reason
        parser.finish()
        return parser.message, parser.is_complete, reason

    return asyncio.run(run())


def test_a_required_call_is_made_by_a_model_that_says_noise(random_model: Model) -> None:
    chat = template("meetkai-functionary-medium-v3.2", random_model)
    prompt = chat.render([USER], tools=[WEATHER], tool_choice="required", parallel_tool_calls=False)
    assert prompt.grammar_begun.endswith(">>>")
    request = prompt.request()
    assert isinstance(request.constraint, Grammar)
    assert request.triggers is None
    message, is_complete, reason = answered(random_model, prompt, EAGER)
    assert (is_complete, reason) == (True, FinishReason.STOP)
    (call,) = message.tool_calls
    assert call.name == "get_weather"
    arguments = json.loads(call.arguments)
    assert arguments.keys() == {"city", "days"}
    assert arguments["city"] in {"Rome", "Oslo"}
    assert isinstance(arguments["days"], int)


def test_a_call_that_was_begun_is_held_to_its_form(model_folder: Path) -> None:
    """After a line's end this model begins a call, and after anything else it stops."""
    begins = models.N_SPECIAL + 256
    script = {models.byte_token(ord("\n")): begins}
    path = models.write_scripted(model_folder / "beginner.gguf", script, words=["<tool_call>\n"])
    model = Model(path)
    prompt = template("Qwen-Qwen3-0.6B", model).render(
        [USER], tools=[WEATHER], parallel_tool_calls=False
    )
    request = prompt.request(stop=["never"])
    assert request.triggers == Triggers(words=("<tool_call>\n",))
    assert request.constraint_begun == ""
    assert request.stop == ["never"]
    message, is_complete, reason = answered(model, prompt)
    assert (is_complete, reason) == (True, FinishReason.STOP)
    (call,) = message.tool_calls
    assert call.name == "get_weather"
    assert json.loads(call.arguments).keys() == {"city", "days"}


def test_a_response_format_is_kept_by_a_model_that_says_noise(random_model: Model) -> None:
    prompt = ChatTemplate(random_model).render([USER], json_schema=PLACE)
    message, is_complete, _ = answered(random_model, prompt)
    assert is_complete
    assert json.loads(message.content).keys() == {"city", "days"}


def test_a_grammar_of_ones_own_begins_with_the_answer(random_model: Model) -> None:
    prompt = ChatTemplate(random_model).render([USER], grammar='root ::= "yes" | "no"')
    assert prompt.request().constraint_begun == ""
    message, _, _ = answered(random_model, prompt)
    assert message.content in {"yes", "no"}


def test_a_prompt_without_a_form_asks_for_none(alphabet: Model) -> None:
    request = ChatTemplate(alphabet).render([USER]).request(max_tokens=3)
    assert request.constraint is None
    assert request.triggers is None
    assert request.max_tokens == 3


def test_what_was_begun_has_to_fit(random_model: Model) -> None:
    async def ask(**fields: object) -> str:
        request = Request(prompt="a", max_tokens=8, **fields)  # type: ignore[arg-type]
        async with AsyncEngine(random_model, OPTIONS) as engine, engine.submit(request) as stream:
            return "".join([event.text async for event in stream])

    within = Grammar('root ::= "one" " two"')
    assert asyncio.run(ask(constraint=within, constraint_begun="one t")) == "wo"
    wrong: list[dict[str, object]] = [
        {"constraint": within, "constraint_begun": "two"},
        {"constraint_begun": "one"},
        {"constraint": within, "constraint_begun": "o", "triggers": Triggers(words=("o",))},
    ]
    for fields in wrong:
        with pytest.raises(InvalidRequest, match=r"^constraint_begun: "):
            asyncio.run(ask(**fields))
