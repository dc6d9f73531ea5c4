"""A look at what a registry would take, before there is one; nothing is kept of it.

In the flow: fetch and filter of a sync, bounded in time and entries, over a mirror that is thrown away. What the source
refuses is what it would refuse a sync.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from thv.domain.errors import Code, ThvError
from thv.domain.left_out import LeftOut
from thv.domain.registry import Registry
from thv.domain.taxonomy import Taxonomy
from thv.domain.times import render_time
from thv.formats.documents import Format
from thv.sources.base import Known
from thv.stores.mirrors.base import Excluded, Mirror, Problem
from thv.sync.choose import Moment, Rules, choose
from thv.sync.fetch import Look, Progress, fetch
from thv.sync.flow import Tools, rules_of

LISTED = 10
"""Names, and problems, that are told."""
_PAUSE = 25
_MOMENT = Moment(now="", tombstones_since="", first=True)
Cut: TypeAlias = Literal["", "entries", "seconds"]


class Limits(msgspec.Struct, frozen=True):
    """How much of a source is read."""

    entries: int = 2000
    seconds: float = 8.0


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a registry would take."""

    cut: Cut
    """The limit at which reading ended; `""` when the source was read to its end."""
    format: str
    """`""` while it is not known."""
    entries: int = 0
    """Versions that could be read, those that no list of the latest has left aside."""
    taken: int = 0
    filtered: int = 0
    blocked: int = 0
    rejected: int = 0
    first: tuple[str, ...] = ()
    """The first names that it takes."""
    left_out: tuple[LeftOut, ...] = ()
    """The first names that it does not."""
    problems: tuple[Problem, ...] = ()


class _EnoughError(Exception):
    """The limit of entries is reached."""


async def preview(registry: Registry, tools: Tools, limits: Limits) -> Preview:
    """Reads the source within the limits; raises what a sync would fail with."""
    opened = await tools.open_source(registry)
    with tools.mirrors.using(opened.mirror_key) as mirror:
        look = Look(
            mirror=mirror,
            expected=Format(registry.spec.format) if registry.spec.format else None,
            known=Known(),
            now=_told(tools.clock),
            report=_until(limits.entries),
        )
        cut: Cut = ""
        try:
            async with asyncio.timeout(limits.seconds):
                await fetch(opened.source, look)
        except _EnoughError:
            cut = "entries"
        except TimeoutError as error:
            cut = "seconds"
            if next(iter(mirror.names()), None) is None:
                raise _too_slow(limits) from error
        return await _counted(mirror, registry, tools.taxonomy, cut)


def _told(clock: Callable[[], datetime]) -> Callable[[], str]:
    return lambda: render_time(clock(), milliseconds=True)


def _until(entries: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.entries >= entries:
            raise _EnoughError

    return report


def _too_slow(limits: Limits) -> ThvError:
    return ThvError(
        Code.SOURCE_TIMEOUT,
        f"the source brought nothing within {limits.seconds:g} s",
        hint="A sync waits longer; create the registry, and see what comes of its first one.",
    )


async def _counted(mirror: Mirror, registry: Registry, taxonomy: Taxonomy, cut: Cut) -> Preview:
    """What filter and policy make of what was read, one name in memory at a time."""
    rules: Rules = rules_of(registry.spec, taxonomy)
    taken = filtered = blocked = 0
    first: list[str] = []
    left_out: list[Excluded] = []
    for count, rows in enumerate(mirror.names()):
        verdict = choose(rows[0].name, rows, (), rules, _MOMENT)
        taken += verdict.added
        if verdict.added and len(first) < LISTED:
            first.append(verdict.name)
        if verdict.excluded is not None:
            filtered += verdict.excluded.filtered
            blocked += verdict.excluded.blocked
            left_out += [verdict.excluded] if len(left_out) < LISTED else []
        if count % _PAUSE == 0:
            await asyncio.sleep(0)
    state = mirror.state()
    return Preview(
        cut=cut,
        format=state.format,
        entries=taken + filtered + blocked,
        taken=taken,
        filtered=filtered,
        blocked=blocked,
        rejected=max(state.rejected, len(state.problems)),
        first=tuple(first),
        left_out=tuple(LeftOut(e.name, e.filtered + e.blocked, e.rules) for e in left_out),
        problems=state.problems[:LISTED],
    )
