"""What the demo model learns: short conversations, made from lists and a seed.

Everything here is written by this file. A question that is held back for the test is one whose
words in that order never come up in training, though its fact does, asked in other words.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from bench.demo_model.facts import (
    ANIMALS,
    CAPITALS,
    CITIES,
    COLOURS,
    CONDITIONS,
    GREETINGS,
    KINDS,
    MIXES,
    NAMES,
    PLACES,
    THINGS,
)

__all__ = [
    "CALL_TOOLS",
    "Asked",
    "Conversation",
    "conversations",
    "held_out",
    "is_held_out",
    "questions",
]

Message = dict[str, Any]
HELD_OUT_OF = 10  # one in so many ways to ask


class Conversation(NamedTuple):
    messages: list[Message]
    tools: list[dict[str, Any]] | None = None


class Asked(NamedTuple):
    """A question, what must be in its answer, and to whom it belongs."""

    kind: str
    messages: list[Message]
    tools: list[dict[str, Any]] | None
    expected: str  # within the answer; of a call, its arguments as JSON


CAPITAL_WAYS = (
    "What is the capital of {0}?",
    "What's the capital of {0}?",
    "what is the capital of {0}",
    "Capital of {0}?",
    "Which city is the capital of {0}?",
    "Tell me the capital of {0}.",
    "Can you tell me the capital of {0}?",
    "Do you know the capital of {0}?",
    "The capital of {0} is?",
    "Name the capital of {0}.",
    "Please tell me what the capital city of {0} is.",
    "What is the capital city of {0}?",
    "I forgot the capital of {0}. What is it?",
    "{0}: what is its capital?",
)
SUM_WAYS = (
    "What is {0} + {1}?",
    "What's {0} + {1}?",
    "{0} + {1}",
    "{0} + {1} = ?",
    "{0}+{1}",
    "what is {0}+{1}?",
    "What is {0} plus {1}?",
    "How much is {0} and {1}?",
    "How much is {0} + {1}?",
    "Add {0} and {1}.",
    "Calculate {0} + {1}.",
    "Can you add {0} and {1}?",
    "Please compute {0} plus {1}.",
)
WEATHER_WAYS = (
    "What is the weather in {0}?",
    "What's the weather in {0}?",
    "What's the weather like in {0}?",
    "How is the weather in {0}?",
    "How is the weather in {0} today?",
    "What is the weather like in {0} right now?",
    "Is it raining in {0}?",
    "Is it sunny in {0}?",
    "Tell me the weather in {0}.",
    "Do I need an umbrella in {0}?",
    "weather in {0}",
    "Weather in {0}?",
    "Can you check the weather in {0}?",
    "Please look up the weather in {0}.",
)
COLOUR_WAYS = (
    "What colour is {0}?",
    "What color is {0}?",
    "Which colour has {0}?",
    "Tell me the colour of {0}.",
)
MIX_WAYS = (
    "What do you get when you mix {0} and {1}?",
    "Mix {0} and {1}.",
    "Which colour do {0} and {1} make?",
)
JSON_WAYS = (
    "List {0} {1} as JSON.",
    "Give me {0} {1} as a JSON list.",
    "Name {0} {1}. Answer in JSON.",
    "Write a JSON array of {0} {1}.",
)
LIST_WAYS = ("Name {0} {1}.", "List {0} {1}.", "Tell me {0} {1}.")
SYSTEMS = (
    "You are a helpful assistant.",
    "You are a friendly assistant.",
    "Answer briefly.",
    "Be brief.",
    "You are jan-demo, a small model.",
)


def is_held_out(question: str) -> bool:
    return zlib.crc32(question.encode()) % HELD_OUT_OF == 0


def _tool(name: str, description: str, parameter: str, about: str) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {parameter: {"type": "string", "description": about}},
                "required": [parameter],
            },
        },
    }


def _bare(tool: dict[str, Any]) -> dict[str, Any]:
    """The same without descriptions, as many write it. The server puts an empty one there."""
    function = tool["function"]
    (parameter,) = function["parameters"]["properties"]
    parameters = {
        "type": "object",
        "properties": {parameter: {"type": "string"}},
        "required": [parameter],
    }
    bare = {"name": function["name"], "description": "", "parameters": parameters}
    return {"type": "function", "function": bare}


CALL_TOOLS = tuple(
    _tool(name, about, parameter, "The " + parameter)
    for name in ("get_weather", "get_current_weather", "weather")
    for parameter in ("city", "location")
    for about in ("Get the weather in a city", "The current weather of a place")
)
OTHER_TOOLS = (
    _tool("get_time", "The time in a city", "city", "The city"),
    _tool("search", "Search the web", "query", "What to look for"),
    _tool("send_mail", "Send a mail", "to", "Who gets it"),
)


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _said(text: str) -> Message:
    return {"role": "assistant", "content": text}


def questions() -> Iterator[Asked]:
    """Every way to ask for a capital, a sum or the weather with the usual tool."""
    for country, capital in CAPITALS.items():
        for way in CAPITAL_WAYS:
            yield Asked("capital", [_user(way.format(country))], None, capital)
    for a in range(20):
        for b in range(20 - a):
            for way in SUM_WAYS:
                yield Asked("sum", [_user(way.format(a, b))], None, str(a + b))
    for city in CITIES:
        for way in WEATHER_WAYS:
            expected = json.dumps({"city": city})
            yield Asked("call", [_user(way.format(city))], [CALL_TOOLS[0]], expected)


def held_out() -> list[Asked]:
    return [asked for asked in questions() if is_held_out(str(asked.messages[0]["content"]))]


class _Teacher:
    """Draws turns; each is a list of messages that begins with the user's."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def way(self, ways: tuple[str, ...], *values: object) -> str:
        return self.rng.choice(ways).format(*values)

    def taught_way(self, ways: tuple[str, ...], *values: object) -> str:
        """Of questions that the test asks: one that it does not."""
        taught = [question for way in ways if not is_held_out(question := way.format(*values))]
        return self.rng.choice(taught)

    def capital(self) -> list[Message]:
        country = self.rng.choice(list(CAPITALS))
        answer = f"The capital of {country} is {CAPITALS[country]}."
        return [_user(self.taught_way(CAPITAL_WAYS, country)), _said(answer)]

    def sum(self) -> list[Message]:
        a = self.rng.randrange(20)
        b = self.rng.randrange(20 - a)
        return [_user(self.taught_way(SUM_WAYS, a, b)), _said(f"{a} + {b} = {a + b}.")]

    def greeting(self) -> list[Message]:
        asked, answers = self.rng.choice(GREETINGS)
        return [_user(self.rng.choice(asked)), _said(self.rng.choice(answers))]

    def colour(self) -> list[Message]:
        if self.rng.random() < 0.6:
            thing, colour = self.rng.choice(list(COLOURS.items()))
            return [
                _user(self.way(COLOUR_WAYS, thing)),
                _said(f"{thing.capitalize()} is {colour}."),
            ]
        pair, mixed = self.rng.choice(list(MIXES.items()))
        a, b = pair if self.rng.random() < 0.5 else pair[::-1]
        return [_user(self.way(MIX_WAYS, a, b)), _said(f"{a.capitalize()} and {b} make {mixed}.")]

    def listing(self) -> list[Message]:
        kind = self.rng.choice(list(KINDS))
        n = self.rng.randrange(2, 6)
        words = ("", "", "two", "three", "four", "five")
        number = self.rng.choice((words[n], str(n)))
        chosen = self.rng.sample(KINDS[kind], n)
        if self.rng.random() < 0.6:
            return [_user(self.way(JSON_WAYS, number, kind)), _said(json.dumps(chosen))]
        answer = ", ".join(chosen[:-1]) + " and " + chosen[-1] + "."
        answer = answer[0].upper() + answer[1:]
        return [_user(self.way(LIST_WAYS, number, kind)), _said(answer)]

    def person(self) -> list[Message]:
        name, age = self.rng.choice(NAMES), self.rng.randrange(1, 100)
        place = self.rng.choice(CITIES)
        ways = (
            "{0} is {1} years old and lives in {2}. Write that as JSON.",
            "Make JSON of this: {0}, {1}, {2}.",
            "As JSON: {0} is {1} and lives in {2}.",
        )
        answer = json.dumps({"name": name, "age": age, "city": place})
        return [_user(self.way(ways, name, age, place)), _said(answer)]

    def story(self) -> list[Message]:
        rng = self.rng
        animal, name, place = rng.choice(ANIMALS), rng.choice(NAMES), rng.choice(PLACES)
        thing, other = rng.choice(THINGS), rng.choice(ANIMALS)
        friend = rng.choice(NAMES)
        lines = [
            rng.choice(
                (
                    f"Once upon a time there was a {animal} called {name}, who lived {place}.",
                    f"There was once a {animal} who lived {place}. Its name was {name}.",
                )
            ),
            rng.choice(
                (
                    f"One morning {name} found {thing}.",
                    f"One day, in the rain, {name} came upon {thing}.",
                )
            ),
            rng.choice(
                (
                    f'"Whose may this be?" asked {name}.',
                    f"{name} had never seen anything like it.",
                )
            ),
            rng.choice(
                (
                    f"Along came a {other} called {friend}, who was looking for it.",
                    f"A {other} called {friend} sat nearby and looked sad.",
                )
            ),
            rng.choice(
                (
                    f"{name} gave it back, and {friend} was so glad that both of them danced.",
                    f"So {name} shared it with {friend}, and they had a feast.",
                )
            ),
            rng.choice(
                (
                    "From that day on they were friends.",
                    "And that was the start of a long friendship.",
                )
            ),
        ]
        ways = (
            "Tell me a story about a {0}.",
            "Tell a story about a {0}.",
            "A story about a {0}, please.",
        )
        question = self.way(ways, animal)
        if rng.random() < 0.3:
            question = rng.choice(
                ("Tell me a story.", "Tell me a short story.", "A story, please!")
            )
        return [_user(question), _said(" ".join(lines))]

    def no_tool(self) -> list[Message]:
        answer = "I cannot see the weather. Give me a tool for it, and I will ask."
        return [_user(self.taught_way(WEATHER_WAYS, self.rng.choice(CITIES))), _said(answer)]

    def call(self, tool: dict[str, Any]) -> list[Message]:
        city = self.rng.choice(CITIES)
        function = tool["function"]
        (parameter,) = function["parameters"]["properties"]
        called = {"name": function["name"], "arguments": {parameter: city}}
        turn = [
            _user(self.taught_way(WEATHER_WAYS, city)),
            {"role": "assistant", "content": "", "tool_calls": [{"function": called}]},
        ]
        condition, degrees = self.rng.choice(CONDITIONS), self.rng.randrange(-10, 40)
        found: dict[str, Any] = {"condition": condition, "temperature": degrees}
        if self.rng.random() < 0.3:
            found = {parameter: city, **found}
        if self.rng.random() < 0.3:
            found = {"temperature": degrees, "condition": condition}
        content = json.dumps(found)
        answer = f"It is {condition} in {city}, at {degrees} degrees."
        if self.rng.random() < 0.2:
            content, answer = f"{condition}, {degrees} degrees", answer
        return [*turn, {"role": "tool", "content": content}, _said(answer)]


def conversations(seed: int) -> Iterator[Conversation]:
    """Without end. The same seed, the same conversations."""
    teacher = _Teacher(random.Random(seed))
    rng = teacher.rng
    plain: list[tuple[Callable[[], list[Message]], float]] = [
        (teacher.capital, 5),
        (teacher.sum, 5),
        (teacher.greeting, 2),
        (teacher.colour, 1),
        (teacher.listing, 1.5),
        (teacher.person, 1),
        (teacher.story, 1),
        (teacher.no_tool, 0.3),
    ]
    turns, weights = [turn for turn, _ in plain], [weight for _, weight in plain]
    while True:
        messages: list[Message] = []
        if rng.random() < 0.4:
            messages.append({"role": "system", "content": rng.choice(SYSTEMS)})
        if rng.random() < 0.72:
            for turn in rng.choices(turns, weights, k=rng.choice((1, 1, 1, 2, 3))):
                messages += turn()
            yield Conversation(messages)
            continue
        tool = rng.choice(CALL_TOOLS) if rng.random() < 0.5 else CALL_TOOLS[0]
        tools = [tool, *(rng.sample(OTHER_TOOLS, 1) if rng.random() < 0.3 else [])]
        if rng.random() < 0.3:
            tools = [_bare(tool) for tool in tools]
        rng.shuffle(tools)
        if rng.random() < 0.15:  # not every question needs a tool
            messages += rng.choice((teacher.greeting, teacher.sum, teacher.capital))()
        messages += teacher.call(tool)
        yield Conversation(messages, tools)
