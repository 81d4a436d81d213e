"""Rows as JSON: one array, or an object per line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Generic, TypeVar

__all__ = ["JsonLines", "JsonRows"]

Result = TypeVar("Result")


class _Rows(Generic[Result]):
    def __init__(self, fields: Callable[[Result], dict[str, Any]]) -> None:
        self.fields = fields
        self.n_rows = 0

    def text(self, result: Result) -> str:
        self.n_rows += 1
        return json.dumps(self.fields(result), ensure_ascii=False)


class JsonRows(_Rows[Result]):
    def head(self) -> str:
        return "[\n"

    def row(self, result: Result) -> str:
        before = ",\n" if self.n_rows else ""
        return before + "  " + self.text(result)

    def foot(self) -> str:
        return "\n]\n"


class JsonLines(_Rows[Result]):
    def head(self) -> str:
        return ""

    def row(self, result: Result) -> str:
        return self.text(result) + "\n"

    def foot(self) -> str:
        return ""
