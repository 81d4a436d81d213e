"""`jan bench quality`: how much a quantised model has lost, against what it was made of."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

import msgspec

from jan_bench.circumstances import circumstances
from jan_bench.cli.named_model import FindModel
from jan_bench.cli.places import require_places
from jan_bench.model_file import ModelFile, read_model_file
from jan_bench.output import require_place, write_out
from jan_bench.quality.figures import Estimate, Quality, Scores
from jan_bench.quality.formats import QUALITY_FORMATS, QualityReport, QualityRow
from jan_bench.quality.kept import KeptReference
from jan_bench.quality.reading import SAMPLE, Keep, Text, measure
from jan_bench.quality.sides import CACHE_TYPES, FLASH, Settings, Side, settings_with
from jan_bench.quality.tasks import require_harness, run_tasks
from jan_bench.store import StoredResult, add_results
from jan_engine.errors import InvalidRequest

__all__ = ["run"]


_SAMPLING = "none: the text is read as it stands; tasks take the likeliest token unless they sample"


def run(arguments: list[str], find_model: FindModel) -> int:
    asked = _parser().parse_intermixed_args(arguments)
    settings = _settings(asked)
    text = _text(asked.file)
    reference = _reference(asked, settings, text, find_model)
    if isinstance(reference, KeptReference):
        settings = msgspec.structs.replace(settings, n_ctx=reference.facts.settings.n_ctx)
    sides = [
        Side(path=path, settings=_with(settings, setting, "with"), setting=setting)
        for path in [find_model(model) for model in asked.models]
        for setting in asked.with_ or [""]
    ]
    if not sides and asked.save_ref is None:
        raise InvalidRequest("model: there is none to measure")
    if asked.save_ref is not None and not isinstance(reference, Side):
        raise InvalidRequest("save-ref: needs --ref MODEL, whose logits it keeps")
    files = {
        path: read_model_file(path, hashed=asked.hashed)
        for path in dict.fromkeys(
            side.path for side in ([reference] if isinstance(reference, Side) else []) + sides
        )
    }
    rows = _rows(reference, sides, files)
    under = circumstances(
        "quality",
        models=[row.model for row in rows],
        flags=msgspec.to_builtins(settings) | _told(reference, sides) | {"file": text.name},
        cache_policy="empty before each window",
    )
    require_places(asked, under)
    if asked.save_ref is not None:
        require_place(asked.save_ref)
    if asked.tasks:
        require_harness()
    told = _Progress(asked.progress or sys.stderr.isatty(), [side.name for side in sides])
    keep = Keep(path=asked.save_ref, hashed=asked.hashed) if asked.save_ref is not None else None
    reading = measure(text, reference, sides, told, keep)
    flags = under.flags | {"n_threads": reading.n_threads, "sampling": _SAMPLING}
    under = msgspec.structs.replace(under, flags=flags)  # as it came to be
    rows = [
        msgspec.structs.replace(row, figures=figures)
        for row, figures in zip(rows, reading.figures, strict=True)
    ]
    if asked.tasks:
        rows = [_with_tasks(asked, row, reference, settings) for row in rows]
    report = QualityReport(
        circumstances=under,
        text=text.name,
        text_sha256=text.sha256,
        n_ctx=settings.n_ctx,
        n_windows=reading.n_windows,
        rows=rows,
    )
    write_out(QUALITY_FORMATS[asked.output](report), None)
    if asked.save is not None:
        write_out(QUALITY_FORMATS["json"](report), asked.save)
    if asked.db is not None:
        add_results(asked.db, under, [_stored(row, report) for row in rows])
    return 0


def _settings(asked: argparse.Namespace) -> Settings:
    if asked.ctx_size < 8:
        raise InvalidRequest("ctx-size: a window has at least 8 tokens")
    return Settings(
        n_ctx=asked.ctx_size,
        n_windows=asked.chunks,
        n_ubatch=asked.ubatch_size,
        n_threads=asked.threads,
        n_gpu_layers=asked.n_gpu_layers,
        cache_type_k=asked.cache_type_k,
        cache_type_v=asked.cache_type_v,
        flash_attn=FLASH[asked.flash_attn],
        jan_kernels=asked.jan_kernels,
    )


def _with(settings: Settings, text: str, field: str) -> Settings:
    return settings_with(settings, text, field) if text else settings


def _reference(
    asked: argparse.Namespace, settings: Settings, text: Text, find_model: FindModel
) -> Side | KeptReference | None:
    if not asked.ref:
        if asked.ref_with:
            raise InvalidRequest("ref-with: there is no --ref")
        return None
    path = find_model(asked.ref)
    if not KeptReference.is_one(path):
        own = _with(settings, asked.ref_with, "ref-with")
        return Side(path=path, settings=own, setting=asked.ref_with)
    if asked.ref_with:
        raise InvalidRequest(f"ref-with: {path} was computed already")
    kept = KeptReference(path)
    if kept.facts.text_sha256 != text.sha256:
        raise InvalidRequest(
            f"file: {path} was made of another text ({kept.facts.text})",
            "give that with --file",
        )
    return kept


def _rows(
    reference: Side | KeptReference | None, sides: list[Side], files: dict[Path, ModelFile]
) -> list[QualityRow]:
    """Without figures, which have yet to be measured."""
    figures = Quality(n_tokens=0, ppl=Estimate(0, 0))
    rows = [
        QualityRow(
            model=files[side.path], is_reference=False, setting=side.setting, figures=figures
        )
        for side in sides
    ]
    if isinstance(reference, Side):
        model, setting = files[reference.path], reference.setting
    elif reference is not None:
        model, setting = reference.facts.model, reference.facts.setting
    else:
        return rows
    first = QualityRow(model=model, is_reference=True, setting=setting, figures=figures)
    return [first, *rows]


def _told(reference: Side | KeptReference | None, sides: list[Side]) -> dict[str, Any]:
    """Settings of each side, in full: what was left out, too."""
    told: dict[str, Any] = {"sides": [msgspec.to_builtins(side.settings) for side in sides]}
    if isinstance(reference, Side):
        told["reference"] = msgspec.to_builtins(reference.settings)
    elif reference is not None:
        told["reference"] = msgspec.to_builtins(reference.facts)
    return told


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jan bench quality",
        description="Perplexity of each MODEL over a text and, with --ref, how far its guesses are "
        "from the reference's: divergence of the distributions, changed probabilities, and how "
        "often both hold the same token to be the most likely. Defined as in llama-perplexity.",
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="a file, or a model's name")
    parser.add_argument(
        "--ref",
        metavar="MODEL",
        help="what they are compared with: what they were made of (F16, BF16 or F32), one of them "
        "with other settings, or a file of --save-ref",
    )
    parser.add_argument(
        "--with",
        dest="with_",
        action="append",
        metavar="NAME=VALUE,...",
        help="settings of the MODELs: cache-type, cache-type-k, cache-type-v, flash-attn, threads, "
        "n-gpu-layers, or kernels=jan and kernels=llama.cpp; given several times, each MODEL is "
        "measured with each",
    )
    parser.add_argument(
        "--ref-with", default="", metavar="NAME=VALUE,...", help="settings of the reference alone"
    )
    parser.add_argument(
        "--save-ref",
        type=Path,
        metavar="FILE",
        help="keep the reference's logits (4 bytes for each token of the vocabulary and each "
        "scored token), so that it need not be in memory when others are compared with it",
    )
    parser.add_argument("-f", "--file", type=Path, metavar="TEXT", help="(a sample of ours)")
    parser.add_argument(
        "-c",
        "--ctx-size",
        type=int,
        default=512,
        metavar="N",
        help="tokens of a window, of which the second half is scored (512)",
    )
    parser.add_argument("--chunks", type=int, default=-1, metavar="N", help="windows (all)")
    parser.add_argument(
        "-ub",
        "--ubatch-size",
        type=int,
        default=512,
        metavar="N",
        help="tokens of a pass; fewer take less memory (512)",
    )
    parser.add_argument("-t", "--threads", type=int, default=0, metavar="N")
    parser.add_argument("-ngl", "--n-gpu-layers", type=int, default=-1, metavar="N")
    parser.add_argument(
        "-ctk", "--cache-type-k", choices=CACHE_TYPES, default="f16", metavar="TYPE"
    )
    parser.add_argument(
        "-ctv", "--cache-type-v", choices=CACHE_TYPES, default="f16", metavar="TYPE"
    )
    parser.add_argument("-fa", "--flash-attn", choices=FLASH, default="auto", metavar="on|off|auto")
    parser.add_argument("--tasks", metavar="NAME,...", help="of lm-evaluation-harness, too")
    parser.add_argument("--task-folder", type=Path, metavar="FOLDER", help="tasks of your own")
    parser.add_argument("--limit", type=int, metavar="N", help="questions of a task (all)")
    parser.add_argument(
        "--no-jan-kernels",
        dest="jan_kernels",
        action="store_false",
        help="upstream's matrix kernels, as llama-perplexity has",
    )
    parser.add_argument(
        "--no-hash", dest="hashed", action="store_false", help="leave out the sha256"
    )
    parser.add_argument(
        "--progress", action="store_true", help="on stderr, where it is no terminal"
    )
    parser.add_argument("-o", "--output", choices=QUALITY_FORMATS, default="md")
    parser.add_argument("--save", type=Path, metavar="FILE", help="all of it as JSON, too")
    parser.add_argument("--db", type=Path, metavar="FILE", help="and into this SQLite file")
    return parser


def _text(path: Path | None) -> Text:
    try:
        text = (path or SAMPLE).read_bytes()
    except OSError as error:
        raise InvalidRequest(f"file: cannot read {path}: {error.strerror}") from error
    # llama-perplexity leaves out the newline that editors put at the end.
    return Text(name=str(path) if path else "sample", bytes=text.removesuffix(b"\n"))


def _with_tasks(
    asked: argparse.Namespace,
    row: QualityRow,
    reference: Side | KeptReference | None,
    settings: Settings,
) -> QualityRow:
    if row.is_reference:
        if not isinstance(reference, Side):
            return row  # its model is not here
        settings = reference.settings
    else:
        settings = _with(settings, row.setting, "with")
    path, names = Path(row.model.path), asked.tasks.split(",")
    scores = run_tasks(path, names, settings, limit=asked.limit, folder=asked.task_folder)
    return msgspec.structs.replace(row, tasks=scores)


class _Progress:
    """A line that is written over; at the end of a group of models it goes away."""

    def __init__(self, shown: bool, names: list[str]) -> None:
        self.shown = shown
        self.names = names

    def __call__(self, done: int, of: int, scores: dict[int, Scores]) -> None:
        if not self.shown:
            return
        place, one = next(iter(scores.items()))
        nll = one.base_nll if not any(one.nll) else one.nll
        so_far = f"PPL {math.exp(min(math.fsum(nll) / len(nll), 700)):.4f}"
        name = "reference" if place < 0 else self.names[place]
        line = f"window {done}/{of}  {name}: {so_far}"
        if sys.stderr.isatty():
            print(
                f"\r\033[K{line}", end="" if done < of else "\r\033[K", file=sys.stderr, flush=True
            )
        else:
            print(line, file=sys.stderr, flush=True)


def _stored(row: QualityRow, report: QualityReport) -> StoredResult:
    told = msgspec.to_builtins(row)
    told.pop("model")
    text = {name: getattr(report, name) for name in ("text", "text_sha256", "n_ctx", "n_windows")}
    return StoredResult(result=told | text, model=row.model.path)
