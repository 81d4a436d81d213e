"""The part of docs/migrating-from-llama-server.md that is made from the table of flags.

python -m jan_server.cli.llama_server.page docs/migrating-from-llama-server.md
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jan_server.cli.llama_server.flag import Fate, Flag
from jan_server.cli.llama_server.flags import FLAGS, OLDER

__all__ = ["BEGIN", "END", "flag_tables", "with_tables"]

BEGIN = "<!-- made by `python -m jan_server.cli.llama_server.page` -->\n"
END = "<!-- made until here -->\n"
_TITLES = {
    Fate.TAKEN: ("Taken", "means here what it means there; beside it our own spelling", "ours"),
    Fate.MAPPED: ("Mapped", "becomes a setting of ours", "becomes"),
    Fate.UNUSED: (
        "Accepted without effect",
        "a line on stderr says that it changes nothing, and why",
        "because",
    ),
    Fate.REFUSED: (
        "Refused",
        "the server does not start and says why, unless the value asks for nothing",
        "because",
    ),
}


def flag_tables() -> str:
    counted = Counter(flag.fate for flag in FLAGS)
    parts = [
        f"{len(FLAGS)} flags (one and its negation count as two): "
        + ", ".join(f"{counted[fate]} {fate.value}" for fate in Fate)
        + ".\n"
    ]
    for fate, (title, meaning, column) in _TITLES.items():
        rows = [flag for flag in FLAGS if flag.fate is fate]
        parts.append(f"\n### {title}\n\nEach of these {meaning}.\n\n" + _table(rows, column))
    parts.append(
        "\n### Of older llama-servers\n\nThe pinned one has no such flags any more.\n\n"
        + _table(OLDER, "here")
    )
    return "".join(parts)


def with_tables(page: str) -> str:
    """The page with its made part made anew."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + flag_tables() + END + rest.partition(END)[2]


def _table(flags: Sequence[Flag], column: str) -> str:
    lines = [f"| flag | variable | {column} |", "| --- | --- | --- |"]
    for flag in flags:
        named = " ".join((", ".join(flag.spellings), *flag.values)).replace("|", "\\|")
        variable = f"`{flag.variable}`" if flag.variable else ""
        says = flag.says
        if flag.harmless:
            says += f"; {' or '.join(f'`{value}`' for value in flag.harmless)} asks for nothing"
        lines.append(f"| `{named}` | {variable}{' off' * flag.when_off} | {says} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    path = Path(sys.argv[1])
    path.write_text(with_tables(path.read_text()))


if __name__ == "__main__":
    main()
