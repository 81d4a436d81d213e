"""Settings from flags, JAN_* variables, llama-server's variables, a file and defaults: the first of
these that says something wins.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from jan_server.cli.config_file import config_path, read_config
from jan_server.cli.llama_arguments import from_llama_arguments
from jan_server.config import Settings
from jan_server.home import home_of
from jan_server.security.key_file import KEY_FILE

__all__ = ["read_settings", "settings_and_origins"]


def read_settings(arguments: list[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Exits with status 2 and one line for a value that cannot be."""
    return settings_and_origins(arguments, environment)[0]


def settings_and_origins(
    arguments: list[str], environment: Mapping[str, str] = os.environ, *, prog: str = "jan serve"
) -> tuple[Settings, dict[str, str]]:
    """Also where each setting comes from that is not the default."""
    parser = _parser(prog)
    flags = {k: v for k, v in vars(parser.parse_args(arguments)).items() if v is not None}
    if "model_by_flag" in flags:
        flags["model"] = flags.pop("model_by_flag")
    key_file = flags.pop("api_key_file", environment.get("JAN_API_KEY_FILE"))
    home = {"JAN_HOME": flags["home"]} if "home" in flags else {}
    path = config_path(flags.pop("config", None), {**environment, **home})
    theirs = from_llama_arguments(environment)
    given: dict[str, Any] = {}
    origins: dict[str, str] = {}
    try:
        in_file = read_config(path)
        for field in _fields():
            name = field.name
            variable = "JAN_" + name.upper()
            for origin, value in (
                ("flag", flags.get(name)),
                (variable, _split(field, environment.get(variable))),
                ("llama-server's variable", _split(field, theirs.get(name))),
                (str(path), in_file.get(name)),
            ):
                if value is not None:
                    given[name], origins[name] = value, origin
                    break
        if key_file:
            keys = Path(key_file).read_text().split()
            given["api_key"] = [*given.get("api_key", []), *keys]
            origins["api_key"] = key_file
        settings = _converted(given)
    except OSError as error:
        parser.error(f"api_key_file: {error.strerror}: {key_file}")
    except msgspec.ValidationError as error:
        parser.error(str(error))
    if settings.cache_type_v not in ("", settings.cache_type):
        parser.error(
            f"--cache-type-v: {settings.cache_type_v} beside keys in {settings.cache_type}: "
            "both are of one type here"
        )
    has_key = settings.api_key or (home_of(settings.home) / KEY_FILE).exists()
    if not settings.is_local and not has_key and not settings.insecure:
        parser.error(
            f"on {settings.host} anybody in the network could use this server: "
            "give it an --api-key or `jan keys create` one, or say --insecure"
        )
    return settings, origins


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Serve a model over an OpenAI-compatible API.",
        epilog="Every flag can also be a variable: --ctx-size is JAN_CTX_SIZE. llama-server's "
        "LLAMA_ARG_... are read where ours are not set, then a file of settings.",
    )
    parser.add_argument("--api-key-file", help="a file with a key per line", default=None)
    parser.add_argument(
        "--config", help="a file of settings, as ctx_size = 8192 (JAN_CONFIG)", default=None
    )
    for field in _fields():
        _add(parser, field)
    return parser


def _split(field: inspect.Field, variable: str | None) -> str | list[str] | None:
    """An empty variable is as good as none."""
    if not variable:
        return None
    return variable.split(",") if _is_list(field) else variable


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
