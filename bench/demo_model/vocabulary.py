"""The demo model's own words: byte-level BPE, learnt from its conversations."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from bench.demo_model.conversations import Conversation, conversations
from bench.demo_model.network import N_VOCAB

__all__ = ["CONTROL", "MARKS", "TEMPLATE", "Lesson", "learn", "lesson", "render"]

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MARKS = (
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<tools>",
    "</tools>",
)
TEMPLATE = (Path(__file__).parent / "chat_template.jinja").read_text()
_N_TO_LEARN_FROM = 20_000
_ANSWER = "<|im_start|>assistant\n"

Lesson = tuple[np.ndarray, np.ndarray]  # tokens, and which of them are to be learnt


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment


_template = _environment().from_string(TEMPLATE)


def render(conversation: Conversation, *, answer: bool = False) -> str:
    values: dict[str, Any] = {"messages": conversation.messages, "tools": conversation.tools}
    return _template.render(**values, add_generation_prompt=answer)


def learn() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=N_VOCAB - len(MARKS),
        special_tokens=list(CONTROL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = (_bare(render(one)) for one in islice(conversations(seed=1), _N_TO_LEARN_FROM))
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(mark, normalized=False) for mark in MARKS])
    return tokenizer


def lesson(tokenizer: Tokenizer, conversation: Conversation) -> Lesson:
    """A conversation in tokens. What the assistant says, its end included, is to be learnt."""
    tokens: list[int] = []
    counts: list[bool] = []
    head, *answers = render(conversation).split(_ANSWER)
    for text, is_learnt in _parts(head, answers):
        ids = tokenizer.encode(text).ids
        tokens += ids
        counts += [is_learnt] * len(ids)
    return np.array(tokens, np.int32), np.array(counts)


def _parts(head: str, answers: list[str]) -> list[tuple[str, bool]]:
    parts = [(head, False)]
    for answer in answers:
        said, end, rest = answer.partition("<|im_end|>")
        parts += [(_ANSWER, False), (said + end, True), (rest, False)]
    return [(text, is_learnt) for text, is_learnt in parts if text]


def _bare(text: str) -> str:
    for word in (*CONTROL, *MARKS):
        text = text.replace(word, "\n")
    return text
