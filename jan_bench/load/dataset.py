"""What is asked. Lengths are in tokens of the server, which alone knows them: see calibration."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from jan_bench.load.calibration import Scale
from jan_bench.load.reply import Prompt
from jan_bench.load.words import random_text
from jan_engine import InvalidRequest

__all__ = ["Count", "Dataset", "DatasetName", "prompts_of"]

DatasetName = Literal["random", "prefix_repetition", "sharegpt", "jsonl"]
Count = Callable[[str], int]  # tokens of a text, less what every prompt begins with
_LONGEST = 2048  # tokens of a conversation taken from a file, prompt and answer, as in vLLM


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    name: DatasetName = "random"
    path: Path | None = None
    n_input: int = 128
    n_output: int | None = None  # None: 128, or what a file says
    n_prefix: int = 96  # of prefix_repetition: the part that several prompts share
    n_prefixes: int = 4


def prompts_of(
    dataset: Dataset, n: int, seed: str, scale: Scale, count: Count | None = None
) -> list[Prompt]:
    """`seed` decides everything. Texts of ShareGPT are as long as `count` says, or else `scale`.
    Raises InvalidRequest for a file that cannot be read.
    """
    rng = random.Random(seed)
    match dataset.name:
        case "random":
            return [
                Prompt(text=_text(dataset.n_input, scale, rng), n_output=dataset.n_output or 128)
                for _ in range(n)
            ]
        case "prefix_repetition":
            return _repetitions(dataset, n, scale, rng)
        case "sharegpt":
            return _from_sharegpt(dataset, n, scale, count or scale.n_tokens, rng)
        case "jsonl":
            prompts = list(_lines(_read(dataset, _Line, by_line=True), dataset))
            if not prompts:
                raise _empty(dataset)
            rng.shuffle(prompts)
            return [prompts[i % len(prompts)] for i in range(n)]


def _text(n_tokens: int, scale: Scale, rng: random.Random) -> str:
    return random_text(scale.n_words(n_tokens), rng)


def _repetitions(dataset: Dataset, n: int, scale: Scale, rng: random.Random) -> list[Prompt]:
    if dataset.n_prefix >= dataset.n_input:
        raise InvalidRequest(
            f"prefix_len: must be shorter than input_len, which is {dataset.n_input}"
        )
    n_words = scale.n_words(dataset.n_input)
    n_shared = round(n_words * dataset.n_prefix / dataset.n_input)
    prefixes = [random_text(n_shared, rng) for _ in range(dataset.n_prefixes)]
    prompts = [
        Prompt(
            text=f"{prefixes[i % len(prefixes)]} {random_text(n_words - n_shared, rng)}",
            n_output=dataset.n_output or 128,
        )
        for i in range(n)
    ]
    rng.shuffle(prompts)
    return prompts


_Entry = TypeVar("_Entry")


class _Turn(msgspec.Struct):
    value: str


class _Conversation(msgspec.Struct):
    conversations: list[_Turn] = []


def _from_sharegpt(
    dataset: Dataset, n: int, scale: Scale, count: Count, rng: random.Random
) -> list[Prompt]:
    """The first turn is asked, the second says how long the answer is. As in vLLM conversations are
    taken in any order until there are enough: no more of them are counted than that takes.
    """
    conversations = _read(dataset, _Conversation, by_line=False)
    rng.shuffle(conversations)
    prompts: list[Prompt] = []
    for found in conversations:
        if len(prompts) == n:
            break
        if len(found.conversations) < 2:
            continue
        prompt, answer = (turn.value for turn in found.conversations[:2])
        n_input = round(scale.n_fixed) + count(prompt)
        n_output = dataset.n_output or count(answer)
        if n_input >= 4 and n_output >= 4 and n_input + n_output <= _LONGEST:
            prompts.append(Prompt(text=prompt, n_output=n_output))
    if not prompts:
        raise _empty(dataset)
    return [prompts[i % len(prompts)] for i in range(n)]


class _Line(msgspec.Struct):
    prompt: str = ""
    messages: tuple[dict[str, Any], ...] = ()
    output_tokens: int | None = None
    max_tokens: int | None = None


def _lines(lines: list[_Line], dataset: Dataset) -> Iterator[Prompt]:
    for line in lines:
        if line.prompt or line.messages:
            n_output = dataset.n_output or line.output_tokens or line.max_tokens or 128
            yield Prompt(text=line.prompt, messages=line.messages, n_output=n_output)


def _read(dataset: Dataset, kind: type[_Entry], *, by_line: bool) -> list[_Entry]:
    path = dataset.path
    if path is None:
        raise InvalidRequest(f"dataset_path: {dataset.name} is a file, which one?")
    try:
        text = path.read_bytes()
        if by_line:
            return msgspec.json.Decoder(kind).decode_lines(text)
        return msgspec.json.Decoder(list[kind]).decode(text)  # type: ignore[valid-type]
    except OSError as error:
        raise InvalidRequest(f"dataset_path: {path}: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"dataset_path: {path}: {error}") from None


def _empty(dataset: Dataset) -> InvalidRequest:
    return InvalidRequest(f"dataset_path: {dataset.path} has no prompts that can be used")
