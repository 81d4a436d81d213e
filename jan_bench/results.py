"""Files of results, ours and those in whose form we write: llama-bench's and vLLM's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from jan_engine.errors import InvalidRequest

__all__ = [
    "Results",
    "Row",
    "engine_name",
    "load_name",
    "of_ours",
    "quality_name",
    "read_results",
    "server_names",
]

Row = dict[str, Any]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of each kind as their files have them, in the order of the files."""

    serve: list[Row] = []  # vLLM's: a server under one load
    engine: list[Row] = []  # llama-bench's: one test
    batched: list[Row] = []  # llama-batched-bench's
    quality: list[Row] = []  # a model's file beside its figures, and which text they are of
    roofline: list[Row] = []  # products of one type and number of columns

    @property
    def n_rows(self) -> int:
        kinds = (self.serve, self.engine, self.batched, self.quality, self.roofline)
        return sum(len(rows) for rows in kinds)


def read_results(paths: Sequence[Path], field: str = "result") -> Results:
    """JSON, a line of it each, or a list. Raises InvalidRequest for what is none of ours."""
    found = Results()
    for path in paths:
        for row in _rows(path, field):
            if "request_throughput" in row:
                found.serve.append(row)
            elif "avg_ts" in row and "n_prompt" in row:
                found.engine.append(row)
            elif "speed_tg" in row and "pl" in row:
                found.batched.append(row)
            elif "limit_gops" in row and "n_columns" in row:
                found.roofline.append(row)
            elif isinstance(row.get("rows"), list) and "n_windows" in row:
                found.quality.extend(_quality_rows(row))
            else:
                raise InvalidRequest(f"{field}: {path} has something that is no result of a bench")
    return found


def _quality_rows(report: Row) -> list[Row]:
    rows = cast("list[Row]", report["rows"])
    text = {name: report.get(name) for name in ("text", "text_sha256", "n_ctx", "n_windows")}
    reference = next((quality_name(row) for row in rows if row.get("is_reference")), "")
    return [{**row, **text, "reference": reference} for row in rows]


def quality_name(row: Row) -> str:
    """A model's file, and the settings that set its row apart."""
    name = str(row["model"]["path"]).rpartition("/")[2]
    return f"{name}, {row['setting']}" if row.get("setting") else name


def _rows(path: Path, field: str) -> Iterator[Row]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{field}: {path}: {error.strerror}") from None
    try:
        try:
            told: Any = msgspec.json.decode(text)
        except msgspec.DecodeError:
            told = msgspec.json.Decoder(dict[str, Any]).decode_lines(text)
        yield from msgspec.convert(told if isinstance(told, list) else [told], list[Row])
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"{field}: {path}: {error}") from None


def engine_name(row: Row) -> str:
    """As llama-bench calls a test."""
    n_prompt, n_gen, depth = row["n_prompt"], row["n_gen"], row.get("n_depth", 0)
    if n_prompt and n_gen:
        name = f"pp{n_prompt}+tg{n_gen}"
    else:
        name = f"pp{n_prompt}" if n_prompt else f"tg{n_gen}"
    return f"{name} @ d{depth}" if depth else name


def load_name(row: Row) -> str:
    """How the server was asked."""
    if row.get("max_concurrency") is not None:
        return f"{row['max_concurrency']} at once"
    rate = row.get("request_rate", "inf")
    return "all at once" if rate == "inf" else f"{rate:g} requests/s"


def server_names(rows: Sequence[Row]) -> list[str]:
    """Of each row, which server it is of: its model, and its label where labels differ."""
    labels = {row.get("label") for row in rows}
    names: list[str] = []
    for row in rows:
        name, label = str(row.get("model_id", "")), str(row.get("label", ""))
        if len(labels) > 1:  # a sweep's have the model in them
            name = label if name in label else f"{label}: {name}"
        names.append(name)
    return names


def of_ours(row: Row, name: str) -> Any:  # noqa: ANN401 - JSON
    """What vLLM has no key for. None in files that it wrote itself."""
    ours: Row = row.get("jan_bench") or {}
    return ours.get(name)
