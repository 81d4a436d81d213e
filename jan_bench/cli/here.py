"""`jan bench here`: what every result will record, to be looked at before hours of measuring."""

from __future__ import annotations

import argparse

import msgspec

from jan_bench.circumstances import circumstances
from jan_bench.cli.named_model import FindModel
from jan_bench.model_file import read_model_file
from jan_bench.output import write_out

__all__ = ["run"]


def run(arguments: list[str], find_model: FindModel) -> int:
    parser = argparse.ArgumentParser(
        prog="jan bench here",
        description="What every result records of machine, build and models, as JSON.",
    )
    parser.add_argument("model", nargs="*", help="a file, or a model's name")
    parser.add_argument(
        "--no-hash",
        dest="hashed",
        action="store_false",
        help="do not read whole files",
    )
    asked = parser.parse_args(arguments)
    models = [read_model_file(find_model(name), hashed=asked.hashed) for name in asked.model]
    told = circumstances("here", models=models, flags={})
    write_out(msgspec.json.format(msgspec.json.encode(told)).decode() + "\n", None)
    return 0
