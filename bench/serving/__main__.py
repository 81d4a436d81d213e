"""python -m bench.serving MODEL-FAMILY [SCENARIO ...]: the engine against upstream's programs.

Builds the peers on first use. Rounds are interleaved: every contestant runs once per round, so
that a machine whose speed drifts drifts for all. The table goes to bench/results.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path

import msgspec

from bench.models import FAMILIES, model_path
from bench.serving.llama_server import PROGRAMS
from bench.serving.rows import Row, Setup
from bench.serving.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=__doc__)
    parser.add_argument("family", choices=sorted(FAMILIES))
    parser.add_argument("scenario", nargs="*", default=list(SCENARIOS), metavar="SCENARIO")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    build_peers()
    setup = Setup(model_path(args.family, "Q4_K_M"), args.rounds, args.threads)
    target = ROOT / "bench/results" / f"serving-{args.family}.md"
    target.parent.mkdir(exist_ok=True)
    data = target.with_suffix(".json")
    rows = read_rows(data)
    for name in args.scenario:
        found = list(SCENARIOS[name](setup))
        replaced = {row.scenario for row in found}
        rows = [row for row in rows if row.scenario not in replaced] + found
        for row in found:
            print(f"{row.scenario:36} {row.who:30} {row.median:10.2f} {row.what}", flush=True)
        data.write_bytes(msgspec.json.format(msgspec.json.encode(rows)))
        target.write_text(page(args.family, rows))
    return 0


def build_peers() -> None:
    build = PROGRAMS.parent
    if (PROGRAMS / "llama-server").exists():
        return
    cmake = Path(sys.executable).with_name("cmake")
    subprocess.run(
        [cmake, "-S", ROOT / "bench/peers", "-B", build, "-G", "Ninja"],
        check=True,
        env={**os.environ, "PATH": f"{cmake.parent}:{os.environ['PATH']}"},
    )
    subprocess.run([cmake, "--build", build], check=True)


def page(family: str, rows: list[Row]) -> str:
    lines = [
        f"# Serving {family}, Q4_K_M",
        "",
        f"`python -m bench.serving {family}` on {processor()}, {os.cpu_count()} cores.",
        "Medians of interleaved rounds; the spread is the slowest and the fastest round.",
        "",
        "| scenario | who | median | spread | unit |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        spread = f"{min(row.values):.2f} to {max(row.values):.2f}"
        lines.append(f"| {row.scenario} | {row.who} | {row.median:.2f} | {spread} | {row.what} |")
    return "\n".join([*lines, ""])


def read_rows(data: Path) -> list[Row]:
    """The rows of earlier runs: a scenario replaces its own and leaves the others."""
    return msgspec.json.decode(data.read_bytes(), type=list[Row]) if data.exists() else []


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.processor()


if __name__ == "__main__":
    sys.exit(main())
