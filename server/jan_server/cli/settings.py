"""Settings from flags, JAN_* variables, llama-server's variables, a file and defaults: the first of
these that says something wins.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import inspect

from jan_server.cli.config_file import config_path, read_config
from jan_server.cli.llama_server.arguments import CannotTake, from_arguments, from_variables
from jan_server.cli.say import say
from jan_server.config import SAMPLING, Settings
from jan_server.home import home_of
from jan_server.security.key_file import KEY_FILE

__all__ = ["read_settings", "settings_and_origins"]

_COMMAS = {"port"}  # lists of which one text may have several


def read_settings(arguments: list[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Exits with status 2 and one line for a value that cannot be."""
    return settings_and_origins(arguments, environment)[0]


def settings_and_origins(
    arguments: list[str], environment: Mapping[str, str] = os.environ, *, prog: str = "jan serve"
) -> tuple[Settings, dict[str, str]]:
    """Also where each setting comes from that is not the default."""
    parser = _parser(prog)
    try:
        own, notes = from_arguments(arguments, parser.spellings)
        in_variables, more_notes = from_variables(environment)
    except CannotTake as error:
        parser.error(str(error))
    flags, theirs = _parsed(parser, own), _parsed(parser, in_variables)
    for note in (*notes, *more_notes):
        say(f"note: {note}")
    key_file = flags.pop("api_key_file", environment.get("JAN_API_KEY_FILE"))
    key_file = key_file or theirs.pop("api_key_file", None)
    home = {"JAN_HOME": flags["home"]} if "home" in flags else {}
    path = config_path(flags.pop("config", None), {**environment, **home})
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
                ("llama-server's variable", theirs.get(name)),
                (str(path), in_file.get(name)),
            ):
                if value is not None:
                    given[name], origins[name] = value, origin
                    break
        if key_file:
            given["api_key"] = [*given.get("api_key", []), *_keys(Path(key_file))]
            origins["api_key"] = key_file
        given_now = sorted(name for name in SAMPLING & origins.keys() if origins[name] != str(path))
        settings = _converted(given | {"given_now": given_now})
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
    if {"ctx_size", "parallel"} <= flags.keys() | theirs.keys():
        _note_longest(settings)
    return settings, origins


class _Parser(argparse.ArgumentParser):
    @property
    def spellings(self) -> set[str]:
        return set(self._option_string_actions)


def _parser(prog: str) -> _Parser:
    parser = _Parser(
        prog=prog,
        allow_abbrev=False,
        description="Serve a model over an OpenAI-compatible API.",
        epilog="Every flag can also be a variable: --ctx-size is JAN_CTX_SIZE. llama-server's "
        "flags and LLAMA_ARG_... are understood, the latter where ours are not set, or refused by "
        "name (docs/migrating-from-llama-server.md); a file of settings counts least.",
    )
    parser.add_argument("--api-key-file", help="a file with a key per line", default=None)
    parser.add_argument(
        "--config", help="a file of settings, as ctx_size = 8192 (JAN_CONFIG)", default=None
    )
    for field in _fields():
        _add(parser, field)
    return parser


def _parsed(parser: argparse.ArgumentParser, arguments: list[str]) -> dict[str, Any]:
    """By setting. A file of a hub's repository is named apart from it, as llama-server has it."""
    found = {k: v for k, v in vars(parser.parse_args(arguments)).items() if v is not None}
    if "model_by_flag" in found:
        found["model"] = found.pop("model_by_flag")
    file = found.pop("hf_file", None)
    if file is not None:
        model: str = found.get("model", "")
        if not model.startswith("hf:"):
            parser.error("-hff: names a file of a repository, which -hf names")
        found["model"] = f"{model.partition(':')[0]}:{model.split(':')[1]}/{file}"
    return found


def _keys(path: Path) -> list[str]:
    """One a line; what begins with # is a comment."""
    lines = path.read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _note_longest(settings: Settings) -> None:
    """Where -np is said, llama-server divides -c by it. What fits there fits here."""
    n, longest = settings.parallel, settings.ctx_size
    if n > 1 and longest > 0:
        say(
            f"note: each of {n} requests may have {longest} tokens; llama-server would give each "
            f"{longest // n}, which is --ctx-size {longest // n} here and takes less memory"
        )


def _split(field: inspect.Field, variable: str | None) -> str | list[str] | None:
    """An empty variable is as good as none."""
    if not variable:
        return None
    return variable.split(",") if _is_list(field) else variable


def _converted(given: dict[str, Any]) -> Settings:
    for field in msgspec.structs.fields(Settings):
        if field.name in given:
            if field.name in _COMMAS:
                given[field.name] = _between_commas(given[field.name])
            try:
                given[field.name] = msgspec.convert(given[field.name], field.type, strict=False)
            except msgspec.ValidationError as error:
                flag = "--" + field.name.replace("_", "-")
                raise msgspec.ValidationError(f"{flag}: {error}") from None
    return Settings(**given)


def _between_commas(given: object) -> list[object]:
    """A number, a text with commas, or a list of these, as one list."""
    parts = cast("list[object]", given) if isinstance(given, list) else [given]
    return [one for part in parts for one in (part.split(",") if isinstance(part, str) else [part])]


def _fields() -> tuple[inspect.Field, ...]:
    described = inspect.type_info(Settings)
    assert isinstance(described, inspect.StructType)
    return tuple(field for field in described.fields if field.name != "given_now")


def _add(parser: argparse.ArgumentParser, field: inspect.Field) -> None:
    kind = field.type
    facts: dict[str, Any] = {}
    if isinstance(kind, inspect.Metadata):
        parts = [getattr(kind, name) for name in ("extra_json_schema", "extra")]
        facts = {name: value for part in parts if part for name, value in part.items()}
        kind = kind.type
    if isinstance(kind, inspect.UnionType):  # with None, which means: nobody said
        kind = next(one for one in kind.types if not isinstance(one, inspect.NoneType))
    description: str = facts.get("description", "").replace("%", "%%")
    spellings: tuple[str, ...] = facts.get("flags", ())
    if field.name == "model":
        parser.add_argument("model", nargs="?", help=description, metavar="MODEL")
        for names, dest, prefix, text in _MODEL_FLAGS:
            parser.add_argument(*names, dest=dest, type=prefix.__add__, help=text, metavar="NAME")
        return
    short = [one for one in spellings if not one.startswith("--")]
    flags = [*short, f"--{_dashed(field.name)}", *(s for s in spellings if s not in short)]
    default: str = facts.get("default", "none" if field.default == "" else str(field.default))
    described = f"{description} ({_range_and_default(field, kind, default)})"
    if isinstance(kind, inspect.BoolType):
        parser.add_argument(
            *flags, action=argparse.BooleanOptionalAction, default=None, help=described
        )
    elif _is_list(field):
        parser.add_argument(
            *flags, action="append", default=None, help=described, metavar=field.name.upper()
        )
    else:
        parser.add_argument(*flags, default=None, help=described, metavar=field.name.upper())


_MODEL_FLAGS = (
    (("-m", "--model"), "model_by_flag", "", "a GGUF file or a model's name, as MODEL"),
    (("-hf", "--hf-repo"), "model_by_flag", "hf:", "OWNER/REPO[:QUANT] of a hub"),
    (("-hff", "--hf-file"), "hf_file", "", "a file of the repository that -hf names"),
)


def _range_and_default(field: inspect.Field, kind: inspect.Type, default: str) -> str:
    parts: list[str] = []
    if isinstance(kind, inspect.LiteralType):
        parts.append("one of " + " ".join(str(value) for value in kind.values if value != ""))
    elif isinstance(kind, (inspect.IntType, inspect.FloatType)):
        if kind.ge is not None and kind.le is not None:
            parts.append(f"{kind.ge:g} to {kind.le:g}")
        elif kind.ge is not None:
            parts.append(f"{kind.ge:g} or more")
        elif kind.gt is not None:
            parts.append(f"more than {kind.gt:g}")
    if isinstance(kind, inspect.BoolType):
        parts.append(f"default: {'on' if field.default else 'off'}")
    elif _is_list(field):
        parts.append("may be repeated; default: none")
    else:
        parts.append(f"default: {default}")
    return "; ".join(parts)


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _is_list(field: inspect.Field) -> bool:
    kind = field.type.type if isinstance(field.type, inspect.Metadata) else field.type
    return isinstance(kind, inspect.VarTupleType)
