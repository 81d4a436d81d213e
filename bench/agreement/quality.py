"""`jan bench quality` and llama-perplexity over the same text, with upstream's kernels in both.

cmake -S bench/peers -B build/peers && cmake --build build/peers
python -m bench.agreement.quality qwen2-0.5b Q8_0 Q4_K_M
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from typing import Any

from bench.models import FAMILIES, model_path
from bench.serving.llama_server import PROGRAMS
from jan_bench.quality.reading import SAMPLE

OURS = [sys.executable, "-m", "jan_server.cli.main", "bench", "quality", "--no-jan-kernels"]
THEIRS = str(PROGRAMS / "llama-perplexity")
SAID = {  # what llama-perplexity prints, and where it is in ours
    "PPL": (r"Mean PPL\(Q\) +: +([\d.]+)", ("ppl", "value")),
    "PPL of F16": (r"Mean PPL\(base\) +: +([\d.]+)", ("divergence", "ppl_base", "value")),
    "PPL ratio": (r"Mean PPL\(Q\)/PPL\(base\) +: +([\d.]+)", ("divergence", "ppl_ratio", "value")),
    "mean KLD": (r"Mean +KLD: +([\d.]+)", ("divergence", "kl", "mean", "value")),
    "its standard error": (r"Mean +KLD: .*± +([\d.]+)", ("divergence", "kl", "mean", "error")),
    "median KLD": (r"Median +KLD: +([\d.]+)", ("divergence", "kl", "percentiles", "50")),
    "99 % KLD": (r"99\.0% +KLD: +([\d.]+)", ("divergence", "kl", "percentiles", "99")),
    "largest KLD": (r"Maximum KLD: +([\d.]+)", ("divergence", "kl", "most")),
    "same top p, %": (r"Same top p: +([\d.]+)", ("divergence", "same_best", "value")),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.agreement.quality", description=__doc__)
    parser.add_argument("family", choices=sorted(FAMILIES))
    parser.add_argument("types", nargs="+")
    parser.add_argument("--chunks", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    asked = parser.parse_args()
    reference = model_path(asked.family, "F16")
    models = [model_path(asked.family, type_name) for type_name in asked.types]
    flags = ["-t", str(asked.threads), "--chunks", str(asked.chunks)]
    ours = _ours([*flags, "--ref", str(reference), *map(str, models)])
    with tempfile.TemporaryDirectory(dir=reference.parent) as folder:
        base = ["--kl-divergence-base", f"{folder}/base", "-f", str(SAMPLE), *flags]
        _theirs(["-m", str(reference), *base])
        print("| model | figure | jan bench quality | llama-perplexity | apart |")
        print("| --- | --- | --- | --- | --- |")
        for model, figures in zip(models, ours, strict=True):
            said = _theirs(["-m", str(model), "--kl-divergence", *base])
            for name, (pattern, path) in SAID.items():
                found = re.search(pattern, said)
                assert found, said
                _row(model.name, name, _at(figures, path), found[1])
    return 0


def _row(model: str, name: str, ours: float, printed: str) -> None:
    theirs = float(printed)
    if name.endswith("%"):
        ours *= 100
    last_digit = 10.0 ** -len(printed.partition(".")[2])
    apart = abs(ours - theirs) / theirs if theirs else 0.0
    rounding = 0.5 * last_digit / theirs if theirs else 0.0
    print(
        f"| {model} | {name} | {ours:.8g} | {printed} | {apart:.1e} "
        f"(its last digit stands for {rounding:.0e}) |"
    )


def _ours(arguments: list[str]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [*OURS, "--no-hash", "-o", "json", *arguments], stdout=subprocess.PIPE, check=True
    )
    rows = json.loads(done.stdout)["rows"]
    return [row["figures"] for row in rows if not row["is_reference"]]


def _theirs(arguments: list[str]) -> str:
    done = subprocess.run([THEIRS, *arguments], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def _at(figures: dict[str, Any], path: tuple[str, ...]) -> float:
    value: Any = figures
    for name in path:
        value = value[name]
    return float(value)


if __name__ == "__main__":
    sys.exit(main())
