"""Reads what a process tells, as Prometheus does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from thv.apps.kit.metrics import Metrics

_LINE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


class Sample(NamedTuple):
    """One line."""

    name: str
    labels: dict[str, str]
    number: float


def samples(text: str) -> Iterator[Sample]:
    """Every sample; a line that is none of the known forms is an error."""
    for line in text.splitlines():
        if line.startswith("# "):
            continue
        found = _LINE.fullmatch(line)
        assert found, line
        yield Sample(found[1], dict(_LABEL.findall(found[2] or "")), float(found[3]))


def told(metrics: Metrics) -> str:
    """What there is to read."""
    return metrics.written()[1].decode()


def value(text: str, name: str, **labels: str) -> float | None:
    """The one value of that name with these labels among its own; None where there is none."""
    found = [
        each.number
        for each in samples(text)
        if each.name == name and labels.items() <= each.labels.items()
    ]
    assert len(found) <= 1, found
    return found[0] if found else None


def names(text: str) -> set[str]:
    """Every name that may be asked for."""
    return {each.name for each in samples(text)}
