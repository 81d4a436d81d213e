"""One flag of llama-server: how it is spelled there, and what becomes of it here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

__all__ = ["Fate", "Flag", "mapped", "read_reasons", "read_taken"]

_PREFIX = "LLAMA_ARG_"


class Fate(StrEnum):
    TAKEN = "taken"  # means here what it means there
    MAPPED = "mapped"  # becomes settings of ours
    UNUSED = "no effect"  # accepted; one line on stderr says why it changes nothing
    REFUSED = "refused"  # what it asks for cannot be had: the server does not start


class Flag(NamedTuple):
    spellings: tuple[str, ...]
    values: tuple[str, ...]  # placeholders of what follows; one in brackets may be left out
    variable: str  # "" without one
    when_off: bool  # the variable stands for this flag where it is off
    fate: Fate
    says: str  # our flag, what it becomes, or why not
    become: Callable[[str], list[str]] | None  # its value as arguments of ours
    harmless: tuple[str, ...]  # values of a refused flag that ask for nothing

    def asks_for_nothing(self, value: str) -> bool:
        return any(_equal(value, harmless) for harmless in self.harmless)


def mapped(row: str, says: str, become: Callable[[str], list[str]]) -> Flag:
    return _one(row, Fate.MAPPED, says)._replace(become=become)


def read_taken(text: str) -> Iterator[Flag]:
    """Lines of `ROW > OURS`: our spelling, whose value is theirs."""
    for line in text.strip().splitlines():
        row, _, ours = line.partition(" > ")
        flag = _one(row, Fate.TAKEN, f"`{ours}`")
        yield flag._replace(become=_handed_on(ours, has_value=bool(flag.values)))


def read_reasons(text: str, fate: Fate) -> Iterator[Flag]:
    """A reason with a colon, and below it, indented, the rows that it is true of. ` > ` in a row
    goes on with the reason.
    """
    why = ""
    for line in text.strip().splitlines():
        if not line.startswith(" "):
            why = line.removesuffix(":")
            continue
        row, _, rest = line.partition(" > ")
        says = f"{why}: `{rest}`" if rest else why
        on, slash, off = row.partition(" / ")
        if not slash:
            yield _one(row, fate, says)
            continue
        variable = next((word for word in off.split() if word.startswith("=")), "")
        yield _one(f"{on} {variable}", fate, says)
        yield _one(off.replace("=", "=!"), fate, says)


def _one(row: str, fate: Fate, says: str) -> Flag:
    """A row is "-s --spelling VALUE ?harmless =VARIABLE"; =!VARIABLE means the flag where it is
    off, and "--on / --off =VARIABLE" is two flags.
    """
    words = row.split()
    variable = next((word[1:] for word in words if word.startswith("=")), "")
    when_off = variable.startswith("!")
    variable = variable.lstrip("!")
    return Flag(
        spellings=tuple(word for word in words if word.startswith("-")),
        values=tuple(word for word in words if word[0] not in "-=?"),
        variable=variable and (variable if variable.startswith("LLAMA_") else _PREFIX + variable),
        when_off=when_off,
        fate=fate,
        says=says,
        become=None,
        harmless=tuple(word[1:] for word in words if word.startswith("?")),
    )


def _handed_on(ours: str, *, has_value: bool) -> Callable[[str], list[str]]:
    return lambda value: [f"{ours}={value}" if has_value else ours]


def _equal(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return one.lower() == other.lower()
