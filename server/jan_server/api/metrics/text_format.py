"""Samples as Prometheus reads them: a name, what it means, and a line per set of labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Page"]


class Page:
    """Samples of one name stand together, whenever they are told."""

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}
        self._families: dict[str, list[str]] = {}
        self._family_lines: list[str] = []  # of the family that is being told

    def about(self, **labels: str) -> Page:
        """`labels` are on every sample from now on."""
        self._labels = labels
        return self

    def counter(self, name: str, value: float, meaning: str) -> None:
        self._family(name, "counter", meaning, [({}, value)])

    def counters(
        self, name: str, values: Iterable[tuple[Mapping[str, str], float]], meaning: str
    ) -> None:
        """One per set of labels. Without any there is nothing to say."""
        self._family(name, "counter", meaning, values)

    def gauge(self, name: str, value: float, meaning: str, **labels: str) -> None:
        self._family(name, "gauge", meaning, [(labels, value)])

    def histogram(
        self, name: str, limits: Sequence[float], counts: Sequence[int], sum_: float, meaning: str
    ) -> None:
        """`counts` are of what lies between two limits, and one more of what lies above all."""
        self._head(name, "histogram", meaning)
        total = 0
        for limit, count in zip([*limits, float("inf")], counts, strict=True):
            total += count
            le = "+Inf" if limit == float("inf") else f"{limit:g}"
            self._sample(f"{name}_bucket", {"le": le}, total)
        self._sample(f"{name}_sum", {}, sum_)
        self._sample(f"{name}_count", {}, total)

    def text(self) -> str:
        return "\n".join(line for lines in self._families.values() for line in lines) + "\n"

    def _family(
        self,
        name: str,
        kind: str,
        meaning: str,
        samples: Iterable[tuple[Mapping[str, str], float]],
    ) -> None:
        found = list(samples)
        if found:
            self._head(name, kind, meaning)
        for labels, value in found:
            self._sample(name, labels, value)

    def _head(self, name: str, kind: str, meaning: str) -> None:
        head = [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
        self._family_lines = self._families.setdefault(name, head)

    def _sample(self, name: str, labels: Mapping[str, str], value: float) -> None:
        pairs = {**self._labels, **labels}
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in pairs.items())
        self._family_lines.append(f"{name}{{{inside}}} {value}")


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
