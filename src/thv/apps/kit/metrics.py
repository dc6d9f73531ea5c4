"""Figures of a process as Prometheus reads them.

In the flow: doors and loops count into these, the operations port writes them out. Values live in plain
dictionaries and those of registries are read only when somebody asks, so that a thousand registries cost next to
nothing in between.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from math import inf
from typing import Protocol, TypeAlias

import msgspec

Labels: TypeAlias = tuple[str, ...]
"""Values, in the order of the names of the family."""

TEXT = b"text/plain; version=0.0.4; charset=utf-8"
LONG = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
"""Bounds in seconds of what may take minutes."""
OPEN = b"application/openmetrics-text; version=1.0.0; charset=utf-8"


class Kind(StrEnum):
    """What a family is."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Family(msgspec.Struct, frozen=True):
    """What is told of every series of one name."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


class Metric(Protocol):
    """A family with its present values."""

    @property
    def family(self) -> Family: ...

    def lines(self) -> Iterator[str]:
        """A line for each sample."""
        ...


class Told:
    """A family whose values are read when somebody asks."""

    def __init__(self, family: Family, read: Callable[[], Iterable[tuple[Labels, float]]]) -> None:
        self.family = family
        self._read = read

    def lines(self) -> Iterator[str]:
        """A line for each sample."""
        name, labels = self.family.name, self.family.labels
        for values, number in self._read():
            yield f"{name}{braced(labels, values)} {number!r}"


class Counter:
    """Counts, by labels."""

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self.family = Family(name, Kind.COUNTER, text, labels)
        self._values: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, *values: str, amount: float = 1) -> None:
        """More of it."""
        self._values[values] = self._values.get(values, 0) + amount

    def lines(self) -> Iterator[str]:
        """A line for each sample."""
        return Told(self.family, self._values.items).lines()


class Histogram:
    """How often something lay below certain bounds, by labels."""

    def __init__(self, name: str, text: str, *labels: str, bounds: Sequence[float]) -> None:
        self.family = Family(name, Kind.HISTOGRAM, text, labels)
        self._bounds = tuple(bounds)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}
        if not labels:
            self._begin(())

    def observe(self, number: float, *values: str) -> None:
        """One more observation."""
        counts = self._counts.get(values) or self._begin(values)
        counts[bisect_left(self._bounds, number)] += 1
        self._sums[values] += number

    def lines(self) -> Iterator[str]:
        """Bounds, sum and count."""
        name, labels = self.family.name, self.family.labels
        for values, counts in self._counts.items():
            total = 0
            for bound, count in zip((*self._bounds, inf), counts, strict=True):
                total += count
                within = braced((*labels, "le"), (*values, _bound(bound)))
                yield f"{name}_bucket{within} {total}"
            yield f"{name}_sum{braced(labels, values)} {self._sums[values]!r}"
            yield f"{name}_count{braced(labels, values)} {total}"

    def _begin(self, values: Labels) -> list[int]:
        self._sums[values] = 0.0
        return self._counts.setdefault(values, [0] * (len(self._bounds) + 1))


class Metrics:
    """Every figure of a process."""

    def __init__(self, *metrics: Iterable[Metric]) -> None:
        self._metrics = tuple(metric for some in metrics for metric in some)

    @property
    def families(self) -> tuple[Family, ...]:
        """What there is to be read."""
        return tuple(metric.family for metric in self._metrics)

    def written(self, accept: str = "") -> tuple[bytes, bytes]:
        """Content type and text, in the form that the header `Accept` asks for."""
        as_open = "application/openmetrics-text" in accept
        lines = [line for metric in self._metrics for line in _written(metric, as_open=as_open)]
        end = ["# EOF", ""] if as_open else [""]
        return (OPEN if as_open else TEXT), "\n".join([*lines, *end]).encode()


def _written(metric: Metric, *, as_open: bool) -> Iterator[str]:
    family = metric.family
    name = family.name.removesuffix("_total") if as_open else family.name
    yield f"# HELP {name} {_escaped(family.help)}"
    yield f"# TYPE {name} {family.kind}"
    yield from metric.lines()


def braced(names: Sequence[str], values: Sequence[str]) -> str:
    """Labels as they stand behind a name."""
    if not names:
        return ""
    pairs = zip(names, values, strict=True)
    return "{" + ",".join([f'{name}="{_quoted(value)}"' for name, value in pairs]) + "}"


def _quoted(value: str) -> str:
    return _escaped(value).replace('"', '\\"') if '"' in value else _escaped(value)


def _escaped(text: str) -> str:
    if "\\" not in text and "\n" not in text:
        return text
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _bound(number: float) -> str:
    return "+Inf" if number == inf else repr(float(number))
