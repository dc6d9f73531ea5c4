"""Pictures that are drawn here: places and sizes of what a template writes as SVG.

In the flow: a page's function gives values, the template draws what comes back. Each picture has its values as a table, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

HEIGHT, SLOT, GAP = 80.0, 12.0, 3.0
SPARK_HEIGHT, SPARK_SLOT, SPARK_GAP = 24.0, 5.0, 1.0
_FEWEST = 20
"""Slots of a chart, so that three syncs do not look like walls."""
_LEAST = 3.0


class Bar(msgspec.Struct, frozen=True):
    """One sync."""

    x: float
    y: float
    height: float
    is_good: bool
    title: str


class Chart(msgspec.Struct, frozen=True):
    """The last syncs, the newest at the right."""

    width: float
    bars: tuple[Bar, ...]
    longest: float
    """Seconds."""
    good: int
    failed: int


class Spark(msgspec.Struct, frozen=True):
    """The last syncs of one registry among many, the newest at the right."""

    width: float
    bars: tuple[Bar, ...]
    good: int
    failed: int


def seconds_of(sync: Mapping[str, Any]) -> float | None:
    """How long a sync took; None for one that does not say."""
    began, ended = sync["started_at"], sync["finished_at"]
    if not (began and ended):
        return None
    took = datetime.fromisoformat(ended) - datetime.fromisoformat(began)
    return max(0.0, took.total_seconds())


def chart_of(syncs: Sequence[Mapping[str, Any]]) -> Chart:
    """Bars of syncs that are given newest first; a failed one takes the whole height."""
    shown = list(reversed(syncs))
    lengths = [seconds_of(each) or 0.0 for each in shown]
    longest = max(lengths, default=0.0)
    slots = max(_FEWEST, len(shown))
    first = slots - len(shown)
    bars = []
    for index, (sync, seconds) in enumerate(zip(shown, lengths, strict=True)):
        is_good = sync["outcome"] == "Succeeded"
        share = seconds / longest if longest else 0.0
        height = max(_LEAST, HEIGHT * share) if is_good else HEIGHT
        x = (first + index) * SLOT + GAP / 2
        bars.append(Bar(round(x, 1), round(HEIGHT - height, 1), round(height, 1), is_good, _told(sync, seconds)))  # fmt: skip
    good = sum(bar.is_good for bar in bars)
    return Chart(slots * SLOT, tuple(bars), longest, good, len(bars) - good)


def spark_of(syncs: Sequence[Mapping[str, Any]]) -> Spark:
    """Small bars of syncs that are given newest first, each with its `outcome` and `seconds`."""
    shown = list(reversed(syncs))
    longest = max((each["seconds"] or 0.0 for each in shown), default=0.0)
    first = _FEWEST - len(shown)
    bars = tuple(_spark_bar(first + index, sync, longest) for index, sync in enumerate(shown))
    good = sum(bar.is_good for bar in bars)
    return Spark(_FEWEST * SPARK_SLOT, bars, good, len(bars) - good)


def _spark_bar(slot: int, sync: Mapping[str, Any], longest: float) -> Bar:
    is_good = sync["outcome"] == "Succeeded"
    share = (sync["seconds"] or 0.0) / longest if longest else 0.0
    height = max(_LEAST, SPARK_HEIGHT * share) if is_good else SPARK_HEIGHT
    x = slot * SPARK_SLOT + SPARK_GAP / 2
    return Bar(x, round(SPARK_HEIGHT - height, 1), round(height, 1), is_good, "")


def _told(sync: Mapping[str, Any], seconds: float) -> str:
    when = str(sync["started_at"] or "")[:16].replace("T", " ")
    return f"{when} UTC: {sync['outcome'] or 'unknown'}, {took(seconds)}"


def took(seconds: float | None) -> str:
    """A length of time in words."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"
