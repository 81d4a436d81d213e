"""python -m bench.tokenizing MODEL...: how long texts of 250 KB to 1 MB take to become tokens, and
how the time grows with the text. The least of some rounds; only the vocabulary is loaded.

Texts are what makes tokenisers slow: special tokens, markup that a vocabulary has tokens of its own
for, line ends, and one word without end; beside them prose, and markdown.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from jan_engine import Model

ROUNDS = 3
SIZES = (250_000, 500_000, 1_000_000)
ROW = "<tr><td>{0}</td><td><b>{1}</b></td></tr>\n"
PROSE = "It was a bright cold day in April, and the clocks were striking thirteen. "


def repeated(unit: str) -> str:
    return unit * (SIZES[-1] // len(unit) + 1)


def texts(model: Model) -> dict[str, str]:
    end = model.piece(max(model.vocab.eot, model.vocab.eos), special=True).decode()
    return {
        "special tokens": repeated(end),
        "chat turns": repeated(f"{end}user\nhi{end}\n"),
        "chat turns, each another": "".join(f"{end}user\nhi {n}" for n in range(80_000)),
        "HTML": "".join(ROW.format(n, n * 7) for n in range(30_000)),
        "CRLF": repeated("\r\n"),
        "1,2 CRLF CRLF": repeated("1,2\r\n\r\n"),
        "new lines": repeated("\n"),
        "spaces": repeated(" "),
        "one letter": repeated("a"),
        "Chinese": repeated("\u4eca\u5929\u5929\u6c14\u5f88\u597d"),
        "prose": repeated(PROSE),
        "markdown": repeated(f"## Chapter\n\n- **{PROSE}**\n- `code`\n\n```\nx = 1\n```\n\n"),
    }


def least_s(model: Model, text: str) -> float:
    took: list[float] = []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        model.tokenize(text, parse_special=True)
        took.append(time.perf_counter() - began_s)
    return min(took)


def main() -> None:
    for name in sys.argv[1:]:
        model = Model(Path(name), vocab_only=True)
        print(f"\n| {Path(name).stem}, seconds | 250 KB | 500 KB | 1 MB | 1 MB / 250 KB |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for what, text in texts(model).items():
            encoded = text.encode()
            seconds = [least_s(model, encoded[:n].decode(errors="ignore")) for n in SIZES]
            shown = " | ".join(f"{one:.3f}" for one in seconds)
            print(f"| {what} | {shown} | {seconds[-1] / seconds[0]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
