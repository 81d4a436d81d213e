"""llama-server's command line and variables as arguments of ours."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from jan_server.cli.llama_server.flag import Fate, Flag
from jan_server.cli.llama_server.flags import FLAGS, OLDER
from jan_server.cli.llama_server.values import OFF, ON

__all__ = ["CannotTake", "Translated", "from_arguments", "from_variables"]

_BY_SPELLING = {spelling: flag for flag in (*FLAGS, *OLDER) for spelling in flag.spellings}
_NUMBER = re.compile(r"-\.?\d")


class CannotTake(ValueError):
    """A flag that asks for what cannot be had. The message names it and says why."""


class Translated(NamedTuple):
    arguments: list[str]  # ours; a flag of theirs is there as --flag=value
    notes: list[str]  # a line for each flag without effect


def from_arguments(given: list[str], ours: Collection[str]) -> Translated:
    """`ours`: every spelling of our own flags. What is neither ours nor theirs raises CannotTake,
    so that nothing is taken for a shorter flag with a value behind it.
    """
    arguments: list[str] = []
    notes: list[str] = []
    rest = iter(enumerate(given))
    for place, word in rest:
        if word == "--":
            return Translated([*arguments, *given[place:]], notes)
        spelling, equals, value = word.partition("=")
        flag = _BY_SPELLING.get(spelling)
        if flag is None or (equals and not spelling.startswith("--")):
            _check_ours(spelling, ours)
            arguments.append(word)
            continue
        values = [value] if equals else _values(flag, spelling, given[place + 1 :])
        for _ in range(0 if equals else len(values)):
            next(rest)
        if not equals and not values and flag.values:
            values = ["on"]  # what a switch that may have a value means without one
        shown = " ".join([spelling, *values])
        arguments += _translated(flag, shown, values, notes)
    return Translated(arguments, notes)


def from_variables(environment: Mapping[str, str]) -> Translated:
    """Those that are set, in the order of the table. An empty one is as good as none."""
    arguments: list[str] = []
    notes: list[str] = []
    for flag in FLAGS:
        value = _value_of(flag, environment)
        if value is not None:
            shown = f"{flag.variable}={value}"
            arguments += _translated(flag, shown, [value] if flag.values else [], notes)
    return Translated(arguments, notes)


def _translated(flag: Flag, shown: str, values: list[str], notes: list[str]) -> list[str]:
    """Raises CannotTake. `shown` is how it was given."""
    value = " ".join(values)
    if flag.fate is Fate.REFUSED and not (values and flag.asks_for_nothing(value)):
        raise CannotTake(f"{shown}: {flag.says}")
    if flag.fate is Fate.UNUSED:
        notes.append(f"{shown} has no effect: {flag.says}")
    if flag.become is None:
        return []
    try:
        return flag.become(value)
    except ValueError as error:
        raise CannotTake(f"{shown}: {error}") from None


def _values(flag: Flag, spelling: str, following: list[str]) -> list[str]:
    """The words after a flag that are its values."""
    if len(flag.values) == 1 and flag.values[0].startswith("["):
        words = set(flag.values[0].strip("[]").split("|")) | ON | OFF
        return following[:1] if following and following[0].lower() in words else []
    if len(following) < len(flag.values):
        raise CannotTake(f"{spelling}: needs {' '.join(flag.values)}")
    return following[: len(flag.values)]


def _value_of(flag: Flag, environment: Mapping[str, str]) -> str | None:
    """What a variable says to this flag; None where it says nothing to it."""
    if not flag.variable:
        return None
    value = environment.get(flag.variable, "")
    if flag.variable.replace("ARG_", "ARG_NO_") in environment and not flag.values:
        value = "0"  # a spelling of older ones
    if not value or flag.values:
        return value or None
    return value if value.lower() in (OFF if flag.when_off else ON) else None


def _check_ours(spelling: str, ours: Collection[str]) -> None:
    """Raises CannotTake for a word that looks like a flag and is none."""
    if not spelling.startswith("-") or spelling == "-" or _NUMBER.match(spelling):
        return
    if spelling in ours:
        return
    near = difflib.get_close_matches(spelling, [*ours, *_BY_SPELLING], n=1, cutoff=0.75)
    raise CannotTake(f"{spelling}: there is no such flag{f'; is it {near[0]}?' if near else ''}")
