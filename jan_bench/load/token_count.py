"""How many tokens a text is, where a server says so when it is asked."""

from __future__ import annotations

from typing import Any

import msgspec

from jan_bench.load.endpoint import Endpoint
from jan_bench.load.one_request import ask
from jan_engine.errors import Unavailable

__all__ = ["TokenCounter", "find_token_counter"]


class _Way(msgspec.Struct, frozen=True):
    path: str
    field: str  # that the text is in


_WAYS = (
    _Way("/extras/tokenize/count", "input"),  # ours, and llama-cpp-python's
    _Way("/tokenize", "content"),  # llama-server's
    _Way("/tokenize", "prompt"),  # vLLM's
)


class _Counted(msgspec.Struct):
    count: int | None = None
    tokens: list[Any] | None = None


class TokenCounter:
    """Remembers what it was told. One request at a time, none while anything is measured."""

    def __init__(self, endpoint: Endpoint, way: _Way) -> None:
        self._endpoint, self._way = endpoint, way
        self._known: dict[str, int] = {}

    @property
    def path(self) -> str:
        return self._way.path

    def count(self, text: str) -> int:
        """Less what every prompt begins with. Raises Unavailable where it does not say so now."""
        if text not in self._known:
            found = self._ask(text)
            if found is None:
                raise Unavailable(f"{self._endpoint.url}{self.path} does not count a text")
            self._known[text] = found
        return self._known[text]

    def _ask(self, text: str) -> int | None:
        """None for anything but a number."""
        asked = {self._way.field: text, "model": self._endpoint.model}
        answer = ask(self._endpoint, self.path, msgspec.json.encode(asked))
        try:
            told = msgspec.json.decode(answer or b"", type=_Counted)
        except msgspec.MsgspecError:
            return None
        return told.count if told.tokens is None else len(told.tokens)


def find_token_counter(endpoint: Endpoint) -> TokenCounter | None:
    """None where the server has no way to count that we know. A text of three words is tried: what
    finds nothing in it has not understood the question.
    """
    for way in _WAYS:
        counter = TokenCounter(endpoint, way)
        try:
            if counter.count("some more words") > 0:
                return counter
        except Unavailable:
            continue
    return None
