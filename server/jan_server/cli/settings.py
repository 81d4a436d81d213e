"""Settings from flags and JAN_* variables. A flag wins over its variable, that over the default."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from jan_server.config import Settings

__all__ = ["read_settings"]


def read_settings(arguments: list[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Exits with status 2 and one line for a value that cannot be."""
    parser = argparse.ArgumentParser(
        prog="jan serve",
        description="Serve a model over an OpenAI-compatible API.",
        epilog="Every flag can also be a variable: --ctx-size is JAN_CTX_SIZE.",
    )
    parser.add_argument("--api-key-file", help="a file with a key per line", default=None)
    for field in _fields():
        _add(parser, field)
    flags = {k: v for k, v in vars(parser.parse_args(arguments)).items() if v is not None}
    if "model_by_flag" in flags:
        flags["model"] = flags.pop("model_by_flag")
    key_file = flags.pop("api_key_file", environment.get("JAN_API_KEY_FILE"))
    given: dict[str, Any] = {}
    for field in _fields():
        variable = environment.get("JAN_" + field.name.upper())
        if field.name in flags:
            given[field.name] = flags[field.name]
        elif variable:
            given[field.name] = variable.split(",") if _is_list(field) else variable
    try:
        if key_file:
            keys = Path(key_file).read_text().split()
            given["api_key"] = [*given.get("api_key", []), *keys]
        settings = _converted(given)
    except OSError as error:
        parser.error(f"api_key_file: {error.strerror}: {key_file}")
    except msgspec.ValidationError as error:
        parser.error(str(error))
    if not settings.is_local and not settings.api_key and not settings.insecure:
        parser.error(
            f"on {settings.host} anybody in the network could use this server: "
            "give it an --api-key, or say --insecure"
        )
    return settings


def _converted(given: dict[str, Any]) -> Settings:
    for field in msgspec.structs.fields(Settings):
        if field.name in given:
            try:
                given[field.name] = msgspec.convert(given[field.name], field.type, strict=False)
            except msgspec.ValidationError as error:
                flag = "--" + field.name.replace("_", "-")
                raise msgspec.ValidationError(f"{flag}: {error}") from None
    return Settings(**given)


def _fields() -> tuple[inspect.Field, ...]:
    described = inspect.type_info(Settings)
    assert isinstance(described, inspect.StructType)
    return described.fields


def _add(parser: argparse.ArgumentParser, field: inspect.Field) -> None:
    kind = field.type
    facts: dict[str, Any] = {}
    if isinstance(kind, inspect.Metadata):
        parts = [getattr(kind, name) for name in ("extra_json_schema", "extra")]
        facts = {name: value for part in parts if part for name, value in part.items()}
        kind = kind.type
    description: str = facts.get("description", "")
    spellings: tuple[str, ...] = facts.get("flags", ())
    if field.name == "model":
        parser.add_argument("model", nargs="?", help=description, metavar="MODEL")
        for short, long, prefix in (("-m", "--model", ""), ("-hf", "--hf-repo", "hf:")):
            parser.add_argument(
                short,
                long,
                dest="model_by_flag",
                type=prefix.__add__,
                help="the same, as llama-server's flag" + (", of a hub" if prefix else ""),
            )
        return
    flags = ("--" + field.name.replace("_", "-"), *spellings)
    if isinstance(kind, inspect.BoolType):
        parser.add_argument(
            *flags, action=argparse.BooleanOptionalAction, default=None, help=description
        )
    elif _is_list(field):
        parser.add_argument(*flags, action="append", default=None, help=description)
    else:
        default = "" if field.default == "" else f" (default: {field.default})"
        name = field.name.upper()
        parser.add_argument(*flags, default=None, help=description + default, metavar=name)


def _is_list(field: inspect.Field) -> bool:
    kind = field.type.type if isinstance(field.type, inspect.Metadata) else field.type
    return isinstance(kind, inspect.VarTupleType)
