"""Pictures that are drawn here: places and sizes of what a template writes as SVG.

In the flow: a page's function gives values, the template draws what comes back. Each picture has its values as a table, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

_FEWEST = 20
"""Slots of a chart, so that three syncs do not look like walls."""
_LEAST = 3.0
AIM = 30.0
"""Seconds that a sync should take less than (SYN-02)."""


class Scale(msgspec.Struct, frozen=True):
    """How large a picture is drawn."""

    height: float
    slot: float
    """Width of a bar and the gap beside it."""
    gap: float


CHART, SPARK = Scale(80.0, 12.0, 3.0), Scale(24.0, 5.0, 1.0)


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
    aim: float | None
    """Where the line of `AIM` is, if the longest took as long."""
    good: int
    failed: int


def chart_of(syncs: Sequence[Mapping[str, Any]]) -> Chart:
    """Bars of the syncs of one registry, as C22 lists them."""
    return _drawn([(each, seconds_of(each), _told(each)) for each in syncs], CHART)


def spark_of(syncs: Sequence[Mapping[str, Any]]) -> Chart:
    """Small bars of one registry among many, of syncs as C17 lists them."""
    return _drawn([(each, each["seconds"], "") for each in syncs], SPARK)


def _drawn(syncs: Sequence[tuple[Mapping[str, Any], float | None, str]], scale: Scale) -> Chart:
    """Bars of syncs that are given newest first, each with its seconds and title; a failed one takes the whole height."""
    longest = max((seconds or 0.0 for _, seconds, _ in syncs), default=0.0)
    slots = max(_FEWEST, len(syncs))
    bars = tuple(
        _bar(slots - behind, sync["outcome"], (seconds or 0.0) / (longest or 1.0), title, scale)
        for behind, (sync, seconds, title) in enumerate(syncs, start=1)
    )
    good = sum(bar.is_good for bar in bars)
    aim = round(scale.height * (1 - AIM / longest), 1) if longest >= AIM else None
    return Chart(slots * scale.slot, bars[::-1], longest, aim, good, len(bars) - good)


def _bar(slot: int, outcome: str, share: float, title: str, scale: Scale) -> Bar:
    """`share` is of the longest sync."""
    is_good = outcome == "Succeeded"
    height = max(_LEAST, scale.height * share) if is_good else scale.height
    x = slot * scale.slot + scale.gap / 2
    return Bar(round(x, 1), round(scale.height - height, 1), round(height, 1), is_good, title)


def seconds_of(sync: Mapping[str, Any]) -> float | None:
    """How long a sync took; None for one that does not say."""
    began, ended = sync["started_at"], sync["finished_at"]
    if not (began and ended):
        return None
    took = datetime.fromisoformat(ended) - datetime.fromisoformat(began)
    return max(0.0, took.total_seconds())


def _told(sync: Mapping[str, Any]) -> str:
    when = str(sync["started_at"] or "")[:16].replace("T", " ")
    return f"{when} UTC: {sync['outcome'] or 'unknown'}, {took(seconds_of(sync))}"


def took(seconds: float | None) -> str:
    """A length of time in words."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"
