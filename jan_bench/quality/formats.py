"""Figures of quality as a table, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec

from jan_bench.circumstances import Circumstances
from jan_bench.engine.markdown import size_text
from jan_bench.model_file import ModelFile
from jan_bench.quality.figures import Estimate, Quality
from jan_bench.quality.tasks import TaskScore

__all__ = ["QUALITY_FORMATS", "QualityReport", "QualityRow"]


class QualityRow(msgspec.Struct, frozen=True, kw_only=True):
    model: ModelFile
    is_reference: bool
    setting: str = ""  # what sets it apart from other rows of this model, as it was asked for
    figures: Quality
    tasks: list[TaskScore] = []


class QualityReport(msgspec.Struct, frozen=True, kw_only=True):
    circumstances: Circumstances
    text: str  # its path, or "sample"
    text_sha256: str
    n_ctx: int
    n_windows: int
    rows: list[QualityRow]


def _json(report: QualityReport) -> str:
    return msgspec.json.format(msgspec.json.encode(report)).decode() + "\n"


def _csv(report: QualityReport) -> str:
    rows = [_flat(row) for row in report.rows]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _flat(row: QualityRow) -> dict[str, Any]:
    model = row.model
    return {
        "model_filename": model.path,
        "model_sha256": " ".join(model.sha256),
        "model_size": model.n_bytes,
        "quantization": model.quantization,
        "bits_per_weight": model.bits_per_weight,
        "is_reference": int(row.is_reference),
        "setting": row.setting,
        **_flattened(msgspec.to_builtins(row.figures), ""),
        **{f"{score.task}.{score.metric}": score.value for score in row.tasks},
    }


def _flattened(value: Mapping[str, Any], before: str) -> dict[str, Any]:
    """`kl.percentiles.99` and the like."""
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if name == "by_window":
            continue  # JSON has them
        if isinstance(inner, dict):
            outer = before if name == "divergence" else f"{before}{name}."
            found |= _flattened(cast("Mapping[str, Any]", inner), outer)
        elif inner is not None:
            found[before + name] = inner
    return found


_COLUMNS = (
    "model",
    "size",
    "bpw",
    "PPL",
    "PPL - reference's",
    "mean KLD",
    "median",
    "99 %",
    "99.9 %",
    "max",
    "RMS Δp",
    "same top p",
)


def _markdown(report: QualityReport) -> str:
    """The reference first, then whoever is nearest to it."""
    rows = sorted(report.rows, key=_distance)
    has_reference = any(row.is_reference for row in rows)
    columns = _COLUMNS if has_reference else _COLUMNS[:4]
    cells = [_cells(row)[: len(columns)] for row in rows]
    widths = [max(len(row[i]) for row in (columns, *cells)) for i in range(len(columns))]
    lines = [_line([name.ljust(n) for name, n in zip(columns, widths, strict=True)])]
    lines.append(_line(["-" * (n - 1) + (":" if i else "-") for i, n in enumerate(widths)]))
    for row in cells:
        first, *others = zip(row, widths, strict=True)
        lines.append(_line([first[0].ljust(first[1]), *(text.rjust(n) for text, n in others)]))
    lines += _task_lines(rows)
    n_tokens = rows[0].figures.n_tokens
    build = report.circumstances.build
    lines += [
        "",
        f"{n_tokens} tokens scored in {report.n_windows} windows of {report.n_ctx}, of "
        f"{report.text} ({report.text_sha256[:12]}); ± is one standard error, KLD in nats",
        f"build: jan-engine {build.version} ({build.llama_cpp_build})",
    ]
    return "\n".join(lines) + "\n"


def _task_lines(rows: Sequence[QualityRow]) -> list[str]:
    """A row for each metric, a column for each model."""
    names = dict.fromkeys((score.task, score.metric) for row in rows for score in row.tasks)
    if not names:
        return []
    models = [_name(row) for row in rows]
    lines = ["", _line(["task", "metric", *models]), _line(["-", "-", *["-:" for _ in models]])]
    for task, metric in names:
        cells = [
            next((_score_text(s) for s in row.tasks if (s.task, s.metric) == (task, metric)), "")
            for row in rows
        ]
        lines.append(_line([task, metric, *cells]))
    return lines


def _score_text(score: TaskScore) -> str:
    return f"{score.value:.4f}" + ("" if score.error is None else f" ± {score.error:.4f}")


def _distance(row: QualityRow) -> tuple[bool, float]:
    of = row.figures.divergence
    return not row.is_reference, of.kl.mean.value if of else row.figures.ppl.value


def _cells(row: QualityRow) -> list[str]:
    of = row.figures.divergence
    name = _name(row)
    told = [
        f"{name} (reference)" if row.is_reference else name,
        size_text(row.model.n_bytes),
        f"{row.model.bits_per_weight:.2f}",
        _pm(row.figures.ppl, 4),
    ]
    if of is None:
        return [*told, *[""] * (len(_COLUMNS) - len(told))]
    percentiles = of.kl.percentiles
    return [
        *told,
        _pm(of.ppl_difference, 4, signed=True),
        _pm(of.kl.mean, 6),
        f"{percentiles['50']:.6f}",
        f"{percentiles['99']:.6f}",
        f"{percentiles['99.9']:.6f}",
        f"{of.kl.most:.6f}",
        _pm(_percent(of.delta_p_rms), 3) + " %",
        _pm(_percent(of.same_best), 2) + " %",
    ]


def _name(row: QualityRow) -> str:
    name = row.model.path.rpartition("/")[2]
    return f"{name}, {row.setting}" if row.setting else name


def _percent(of: Estimate) -> Estimate:
    return Estimate(100 * of.value, 100 * of.error)


def _pm(of: Estimate, digits: int, *, signed: bool = False) -> str:
    return f"{of.value:{'+' if signed else ''}.{digits}f} ± {of.error:.{digits}f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


QUALITY_FORMATS: dict[str, Callable[[QualityReport], str]] = {
    "md": _markdown,
    "json": _json,
    "csv": _csv,
}
