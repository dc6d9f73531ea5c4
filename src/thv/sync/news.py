"""What is worth telling people after a reconcile: one piece of news a change; pure.

In the flow: computed from the status before and after, told before the status is written. The name of a piece of
news is made of what it tells, so that telling it again, after a crash, tells nothing new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from thv.domain.registry import Registry
from thv.domain.registry_status import ApiPhase, RegistryStatus
from thv.sync.flow import Counts

_MINUTE, _HOUR = 60, 3600
NOTE_LIMIT = 1024


class News(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a registry."""

    type: Literal["Normal", "Warning"] = "Normal"
    reason: str
    """One word for programs, such as Synced."""
    action: str
    """What was being done, as one word."""
    note: str
    """A sentence for people, without secrets."""
    what: str
    """Tells this piece of news from the next one with the same reason."""

    def name(self, registry: Registry) -> str:
        """A name for the object that tells it, the same each time."""
        text = f"{registry.uid}\0{self.reason}\0{self.what}"
        return f"{registry.name}.{hashlib.sha256(text.encode()).hexdigest()[:16]}"


class Announcer(Protocol):
    """Tells people; must not raise."""

    async def announce(self, registry: Registry, news: News) -> None: ...


class Silent:
    """Tells nobody."""

    async def announce(self, registry: Registry, news: News) -> None:
        """Says nothing."""


def news_of(
    old: RegistryStatus, new: RegistryStatus, now: datetime, counts: Counts | None = None
) -> list[News]:
    """What happened between two statuses of a registry."""
    return [*_content(old, new, counts), *_failure(old, new, now), *_api(old, new, now)]


def drift(objects: tuple[str, ...], now: datetime) -> News:
    """Objects that were repaired."""
    names = ", ".join(objects)
    return News(
        type="Warning",
        reason="DriftRepaired",
        action="Repair",
        note=f"changed by somebody else and made as it should be: {names}"[:NOTE_LIMIT],
        what=f"{names}\0{int(now.timestamp()) // _MINUTE}",
    )


def _content(old: RegistryStatus, new: RegistryStatus, counts: Counts | None) -> Iterator[News]:
    before = old.snapshot.digest if old.snapshot else ""
    after = new.snapshot.digest if new.snapshot else ""
    if before == after:
        return
    what = f"{old.sync_status.last_sync_time}\0{after}"
    note = f"{new.server_count} servers, {new.version_count} versions"
    yield News(reason="Synced", action="Sync", note=note, what=what)
    if counts is not None and counts.added and before:
        note = f"{counts.added} added"
        yield News(reason="ServersAdded", action="Sync", note=note, what=what)
    if counts is not None and counts.removed:
        note = f"{counts.removed} removed"
        yield News(reason="ServersRemoved", action="Sync", note=note, what=what)
    conversion = new.sync_status.conversion
    if conversion is not None and conversion.skipped:
        note = (
            f"{conversion.skipped} of {conversion.read} entries could not be read and were skipped"
        )
        yield News(type="Warning", reason="EntriesSkipped", action="Sync", note=note, what=what)


def _failure(old: RegistryStatus, new: RegistryStatus, now: datetime) -> Iterator[News]:
    """Once a reason and hour."""
    error = new.sync_status.error
    if error is None or error == old.sync_status.error:
        return
    reason = "SourceUnreachable" if error.code == "SOURCE_UNREACHABLE" else "SyncFailed"
    hour = int(now.timestamp()) // _HOUR
    yield News(
        type="Warning",
        reason=reason,
        action="Sync",
        note=f"{error.code}: {error.message}"[:NOTE_LIMIT],
        what=f"{error.code}\0{hour}",
    )


def _api(old: RegistryStatus, new: RegistryStatus, now: datetime) -> Iterator[News]:
    is_ready = new.api_status.phase is ApiPhase.READY
    if is_ready and old.api_status.phase is not ApiPhase.READY and new.api_status.endpoint:
        yield News(
            reason="APIDeployed",
            action="Deploy",
            note=new.api_status.endpoint,
            what=f"{new.observed_generation}\0{int(now.timestamp()) // _HOUR}",
        )
