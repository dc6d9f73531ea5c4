"""What is told of registries and their syncs: a bounded number of series for each, none for a registry that is gone.

In the flow: the loop hands in every registry that it sees and every sync that ended; the process that synchronizes
tells of them, nobody else.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec

from thv.apps.kit.metrics import LONG, Family, Histogram, Kind, Labels, Metric, Told
from thv.domain.canonical import JsonObject
from thv.domain.durations import parse_duration
from thv.domain.errors import ThvError
from thv.domain.registry import Registry, SourceSpec, load_registry
from thv.domain.resources import name_of, namespace_of
from thv.domain.snapshot import CHUNK_COUNT_LIMIT, CHUNK_LIMIT
from thv.domain.times import parse_time
from thv.sync.flow import Outcome
from thv.sync.status import Attempted

Key: TypeAlias = tuple[str, str]
"""Namespace and name."""

OUTCOMES = ("changed", "unchanged", "failed")
CHANGES = ("added", "changed", "removed")
_OWN = ("namespace", "registry")


class _Figures(msgspec.Struct, frozen=True):
    """What the status of a registry says in numbers; None where it says nothing."""

    trust_level: str
    source_type: str
    upstream: str
    """Address of a source that is somewhere else, `""` for one that is not."""
    servers: float
    ready: float
    sync_ok: float
    snapshot_bytes: float | None
    created: float | None
    synced: float | None
    interval: float | None
    conversion: float | None
    replicas: float | None


class RegistryFigures:
    """The figures of every registry that this process looks after."""

    def __init__(
        self, clock: Callable[[], datetime], is_shown: Callable[[], bool] = lambda: True
    ) -> None:
        """`is_shown`: whether this process is the one that tells of registries."""
        self._clock = clock
        self._is_shown = is_shown
        self._known: dict[Key, _Figures] = {}
        self._synced: dict[Key, float] = {}
        self._syncs: dict[Key, Tally[str]] = {}
        self._entries: dict[Key, Tally[str]] = {}
        self._durations = Histogram(
            "thv_sync_duration_seconds",
            "Seconds that a sync took.",
            *("source_type", "outcome"),
            bounds=LONG,
        )

    # ------------------------------------------------------------ what happens

    def clear(self) -> None:
        """Nothing is known of any registry."""
        for each in (self._known, self._synced, self._syncs, self._entries):
            each.clear()

    def saw(self, obj: JsonObject, gone: bool) -> None:
        """A registry as it is now."""
        key = (namespace_of(obj), name_of(obj))
        if gone:
            for each in (self._known, self._synced, self._syncs, self._entries):
                each.pop(key, None)
            return
        try:
            self._known[key] = _figures(load_registry(obj))
        except ThvError:  # the reconciler says so; the figures stay what they were
            return
        # From nought on, so that the first failure is an increase.
        self._syncs.setdefault(key, Tally(dict.fromkeys(OUTCOMES, 0)))
        self._entries.setdefault(key, Tally(dict.fromkeys(CHANGES, 0)))

    def ended(self, registry: Registry, attempt: Attempted, result: Outcome | ThvError) -> None:
        """A sync ended."""
        word = _word(result)
        seconds = (attempt.ended - attempt.began).total_seconds()
        self._durations.observe(max(0.0, seconds), registry.spec.source.type.value, word)
        key = (registry.namespace, registry.name)
        if key not in self._known:
            return
        self._syncs[key][word] += 1
        if isinstance(result, ThvError):
            return
        self._synced[key] = attempt.ended.timestamp()
        for change in CHANGES:
            self._entries[key][change] += getattr(result.counts, change)

    # ------------------------------------------------------------ what is told

    @property
    def metrics(self) -> Sequence[Metric]:
        """All of them."""
        of = self._gauge
        return (
            Told(
                Family(
                    "thv_mcpregistries",
                    Kind.GAUGE,
                    "Registries there are.",
                    ("trust_level", "source_type"),
                ),
                self._counted,
            ),
            Told(
                Family(
                    "thv_upstream_sources",
                    Kind.GAUGE,
                    "Different addresses outside that registries read from.",
                ),
                self._upstreams,
            ),
            of("servers", "Servers that it serves.", lambda each: each.servers),
            of("ready", "1 while its condition Ready is true.", lambda each: each.ready),
            of("sync_ok", "0 while its last sync failed.", lambda each: each.sync_ok),
            of("snapshot_age_seconds", "Seconds since its content changed.", self._age),
            of("snapshot_bytes", "Size of its content, packed.", lambda each: each.snapshot_bytes),
            of(
                "sync_interval_seconds",
                "Seconds between two syncs; absent while it is suspended.",
                lambda each: each.interval,
            ),
            of(
                "conversion_ratio",
                "Share of the entries of the source that could be read, from 0 to 1.",
                lambda each: each.conversion,
            ),
            of(
                "api_ready_replicas",
                "Pods that answer for it; absent where it has no API.",
                lambda each: each.replicas,
            ),
            Told(
                Family(
                    "thv_registry_last_sync_timestamp_seconds",
                    Kind.GAUGE,
                    "When its content was last up to date, in Unix seconds.",
                    _OWN,
                ),
                self._last_syncs,
            ),
            Told(
                Family("thv_sync_total", Kind.COUNTER, "Syncs that ended.", (*_OWN, "outcome")),
                lambda: self._tallied(self._syncs),
            ),
            Told(
                Family(
                    "thv_sync_entries_total",
                    Kind.COUNTER,
                    "Entries that came, changed or went.",
                    (*_OWN, "change"),
                ),
                lambda: self._tallied(self._entries),
            ),
            self._durations,
            Told(
                Family(
                    "thv_registry_snapshot_limit_bytes",
                    Kind.GAUGE,
                    "Size above which the content of a registry is refused.",
                ),
                lambda: [((), float(CHUNK_COUNT_LIMIT * CHUNK_LIMIT))],
            ),
        )

    def _gauge(self, name: str, text: str, read: Callable[[_Figures], float | None]) -> Told:
        def values() -> Iterator[tuple[Labels, float]]:
            for key, figures in self._shown():
                number = read(figures)
                if number is not None:
                    yield key, number

        return Told(Family(f"thv_registry_{name}", Kind.GAUGE, text, _OWN), values)

    def _shown(self) -> Iterator[tuple[Key, _Figures]]:
        return iter(self._known.items() if self._is_shown() else ())

    def _counted(self) -> Iterator[tuple[Labels, float]]:
        kinds = Tally((each.trust_level, each.source_type) for _, each in self._shown())
        yield from kinds.items()

    def _upstreams(self) -> Iterator[tuple[Labels, float]]:
        if self._is_shown():
            yield (), len({each.upstream for _, each in self._shown()} - {""})

    def _age(self, figures: _Figures) -> float | None:
        if figures.created is None:
            return None
        return max(0.0, self._clock().timestamp() - figures.created)

    def _last_syncs(self) -> Iterator[tuple[Labels, float]]:
        """A sync that changed nothing is not always written into the status."""
        for key, figures in self._shown():
            moment = max(self._synced.get(key, 0.0), figures.synced or 0.0)
            if moment:
                yield key, moment

    def _tallied(self, counts: dict[Key, Tally[str]]) -> Iterator[tuple[Labels, float]]:
        for key, _ in self._shown():
            for word, count in counts[key].items():
                yield (*key, word), count


def _figures(registry: Registry) -> _Figures:
    spec, status = registry.spec, registry.status
    conditions = {each.type: each.status for each in status.conditions}
    snapshot, conversion = status.snapshot, status.sync_status.conversion
    policy = spec.sync_policy
    return _Figures(
        trust_level=spec.trust_level.value,
        source_type=spec.source.type.value,
        upstream=_upstream(spec.source),
        servers=float(status.server_count),
        ready=float(conditions.get("Ready") == "True"),
        sync_ok=float(conditions.get("SyncSucceeded") != "False"),
        snapshot_bytes=float(snapshot.bytes) if snapshot else None,
        created=_moment(snapshot.created_at) if snapshot else None,
        synced=_moment(status.sync_status.last_sync_time),
        interval=parse_duration(policy.interval) if policy.enabled else None,
        conversion=conversion.converted / conversion.read
        if conversion and conversion.read
        else None,
        replicas=float(status.api_status.ready_replicas or 0) if spec.api.enabled else None,
    )


def _upstream(source: SourceSpec) -> str:
    if source.url is not None:
        return source.url.url
    if source.git is not None:
        return source.git.repository
    if source.oci is not None:
        return source.oci.reference
    return source.registry.url if source.registry is not None else ""


def _moment(text: str) -> float | None:
    moment = parse_time(text)
    return None if moment is None else moment.timestamp()


def _word(result: Outcome | ThvError) -> str:
    if isinstance(result, ThvError):
        return "failed"
    counts = result.counts
    return "changed" if counts.added or counts.changed or counts.removed else "unchanged"
