"""`jan bench quality`: how much a quantised model has lost, against what it was made of."""

from __future__ import annotations

import argparse
import hashlib
import math
import sys
from pathlib import Path

import msgspec

from jan_bench.circumstances import circumstances
from jan_bench.cli.engine_flags import CACHE_TYPES, FLASH
from jan_bench.cli.named_model import FindModel
from jan_bench.cli.places import require_places
from jan_bench.model_file import read_model_file
from jan_bench.output import write_out
from jan_bench.quality.figures import Scores
from jan_bench.quality.formats import QUALITY_FORMATS, QualityReport, QualityRow
from jan_bench.quality.reading import SAMPLE, Settings, measure
from jan_bench.quality.tasks import TaskScore, require_harness, run_tasks
from jan_bench.store import StoredResult, add_results
from jan_engine.errors import InvalidRequest

__all__ = ["run"]


def run(arguments: list[str], find_model: FindModel) -> int:
    asked = _parser().parse_intermixed_args(arguments)
    if asked.ctx_size < 8:
        raise InvalidRequest("ctx-size: a window has at least 8 tokens")
    settings = Settings(
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
    text, name = _text(asked.file)
    reference = find_model(asked.ref) if asked.ref else None
    models = [find_model(model) for model in asked.models]
    files = [
        read_model_file(path, hashed=asked.hashed)
        for path in ([reference] if reference else []) + models
    ]
    under = circumstances(
        "quality",
        models=files,
        flags=msgspec.to_builtins(settings) | {"file": name},
        cache_policy="empty before each window",
    )
    require_places(asked, under)
    if asked.tasks:
        require_harness()
    told = _Progress(asked.progress or sys.stderr.isatty(), models)
    reading = measure(text, reference, models, settings, told)
    flags = under.flags | {"n_threads": reading.n_threads}
    under = msgspec.structs.replace(under, flags=flags)  # as it came to be
    tasks = [_tasks(asked, Path(file.path), settings) for file in files]
    rows = [
        QualityRow(
            model=file,
            is_reference=reference is not None and i == 0,
            figures=one,
            tasks=of_tasks,
        )
        for i, (file, one, of_tasks) in enumerate(zip(files, reading.figures, tasks, strict=True))
    ]
    report = QualityReport(
        circumstances=under,
        text=name,
        text_sha256=hashlib.sha256(text).hexdigest(),
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jan bench quality",
        description="Perplexity of each MODEL over a text and, with --ref, how far its guesses are "
        "from the reference's: divergence of the distributions, changed probabilities, and how "
        "often both hold the same token to be the most likely. Defined as in llama-perplexity.",
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a file, or a model's name")
    parser.add_argument("--ref", metavar="MODEL", help="what they were made of: F16, BF16 or F32")
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


def _text(path: Path | None) -> tuple[bytes, str]:
    try:
        text = (path or SAMPLE).read_bytes()
    except OSError as error:
        raise InvalidRequest(f"file: cannot read {path}: {error.strerror}") from error
    # llama-perplexity leaves out the newline that editors put at the end.
    return text.removesuffix(b"\n"), str(path) if path else "sample"


def _tasks(asked: argparse.Namespace, path: Path, settings: Settings) -> list[TaskScore]:
    if not asked.tasks:
        return []
    names = asked.tasks.split(",")
    return run_tasks(path, names, settings, limit=asked.limit, folder=asked.task_folder)


class _Progress:
    """A line that is written over; at the end of a group of models it goes away."""

    def __init__(self, shown: bool, models: list[Path]) -> None:
        self.shown = shown
        self.models = models

    def __call__(self, done: int, of: int, scores: dict[int, Scores]) -> None:
        if not self.shown:
            return
        place, one = next(iter(scores.items()))
        nll = one.base_nll if not any(one.nll) else one.nll
        so_far = f"PPL {math.exp(min(math.fsum(nll) / len(nll), 700)):.4f}"
        line = f"window {done}/{of}  {self.models[place].name}: {so_far}"
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
