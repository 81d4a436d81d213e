"""python -m bench.demo_model.examine FILE.gguf: what the demo model can do.

Every question is one that never came up in training in these words.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import msgspec

from bench.demo_model.conversations import Asked, held_out
from jan_engine import LLM, ChatTemplate, Completion, EngineOptions, Model, Request
from jan_engine.chat import ChatPrompt

__all__ = ["examine"]

N_WRONG_TO_SHOW = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    asked = parser.parse_args()
    wrong: Counter[str] = Counter()
    shares, answers = examine(asked.file)
    for one, text in answers:
        wrong[one.kind] += 1
        if wrong[one.kind] <= N_WRONG_TO_SHOW:
            print(f"{one.kind}: {one.messages[0]['content']!r} -> {text!r}, not {one.expected!r}")
    for kind, (n_right, n) in shares.items():
        print(f"{kind}: {n_right} of {n}, {100 * n_right / n:.1f} %")


def examine(file: Path) -> tuple[dict[str, tuple[int, int]], list[tuple[Asked, str]]]:
    """How many of each kind were right, of how many; and what was wrong, with its answer."""
    model = Model(file)
    template = ChatTemplate(model)
    questions = held_out()
    prompts = [template.render(one.messages, tools=one.tools) for one in questions]
    requests = [_request(prompt, model) for prompt in prompts]
    with LLM(model, EngineOptions(n_parallel=8, n_ctx=512)) as llm:
        answers = llm.generate(requests)
    n_asked: Counter[str] = Counter(one.kind for one in questions)
    n_right: Counter[str] = Counter()
    wrong: list[tuple[Asked, str]] = []
    for one, prompt, answer in zip(questions, prompts, answers, strict=True):
        if _is_right(one, prompt, answer):
            n_right[one.kind] += 1
        else:
            wrong.append((one, answer.text))
    return {kind: (n_right[kind], n) for kind, n in n_asked.items()}, wrong


def _request(prompt: ChatPrompt, model: Model) -> Request:
    tokens = model.tokenize(prompt.text, add_special=True, parse_special=True)
    return msgspec.structs.replace(prompt.request(max_tokens=64), prompt=tokens)


def _is_right(one: Asked, prompt: ChatPrompt, answer: Completion) -> bool:
    parser = prompt.parser()
    parser.feed(answer.text)
    parser.finish()
    message = parser.message
    if one.kind != "call":
        return one.expected in message.content and not message.tool_calls
    calls = message.tool_calls
    return (
        len(calls) == 1
        and calls[0].name == "get_weather"
        and json.loads(calls[0].arguments) == json.loads(one.expected)
    )


if __name__ == "__main__":
    main()
