"""When a registry is synchronized, and what happens after a failure: pure decisions over spec, status and time.

In the flow: first question of a reconcile. Everything is decided from what is, never from what an event said.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import msgspec

from thv.domain.durations import parse_duration
from thv.domain.errors import Code, Next, ThvError
from thv.domain.registry import Registry, SourceType
from thv.domain.registry_status import Trigger
from thv.domain.resources import OLD_PREFIX, PREFIX
from thv.domain.times import parse_time

BACKOFF_LIMIT = timedelta(minutes=15)
STORE_BACKOFF_LIMIT = timedelta(seconds=8)
JITTER = 0.05
FILE_POLL = timedelta(seconds=1)
SOURCE_POLL = timedelta(seconds=30)
_REQUESTS = ("sync-requested-at", "sync-trigger", "manual-sync")
_OF_OUR_STORE = frozenset({Code.STORE_UNAVAILABLE, Code.CONFLICT})
"""Trouble of the place where everything is kept: it passes by itself, and no source is to be spared for it."""
_CURED_BESIDE = {
    Code.SECRET_NOT_FOUND: timedelta(minutes=1),
    Code.SECRET_FORBIDDEN: timedelta(minutes=1),
    Code.HOST_NOT_ALLOWED: timedelta(minutes=1),
    Code.AUTHENTICATION_FAILED: timedelta(minutes=5),
    Code.TLS_VERIFICATION_FAILED: timedelta(minutes=5),
}
"""Trouble that a person ends in an object of which nobody tells us, such as a Secret, and how long that may go
unnoticed; longer where each look asks the other side, which may count failures."""
FORCED = "sync-forced-at"
"""Annotation that makes the request of the same value one that ignores validators and incremental state."""


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A sync is due now, for this reason."""

    trigger: Trigger
    not_before: datetime
    """A fetch that ended at or after this moment is fresh enough."""
    force: bool = False


class Later(msgspec.Struct, frozen=True):
    """Nothing is due before this moment; None: not before something changes."""

    at: datetime | None


def sync_due(registry: Registry, now: datetime, *, source_changed: bool = False) -> Due | Later:
    """Whether a sync is due. `source_changed`: a watch or a cheap look suggests that the source is new."""
    status, policy = registry.status, registry.spec.sync_policy
    if requested(registry) not in ("", status.last_handled_sync_request):
        return Due(trigger=Trigger.MANUAL, not_before=now, force=_forced(registry))
    if not policy.enabled:
        return Later(None)
    if status.observed_generation != registry.generation:
        fresh = now if source_changed else _freshness(registry, now)
        return Due(trigger=Trigger.SPEC_CHANGED, not_before=fresh)
    if source_changed:
        return Due(trigger=Trigger.SOURCE_CHANGED, not_before=now)
    due = parse_time(status.sync_status.next_sync_time)
    if due is None or due <= now:
        return Due(trigger=Trigger.INTERVAL, not_before=_freshness(registry, now))
    return Later(due)


def requested(registry: Registry) -> str:
    """The values of the annotations that ask for a sync, in all spellings; `""` without any."""
    keys = (prefix + key for key in _REQUESTS for prefix in (PREFIX, OLD_PREFIX))
    return ",".join(value for key in keys if (value := registry.annotations.get(key)))[:255]


def _forced(registry: Registry) -> bool:
    value = registry.annotations.get(PREFIX + FORCED, "")
    return value != "" and value == registry.annotations.get(PREFIX + _REQUESTS[0])


def _freshness(registry: Registry, now: datetime) -> datetime:
    """Registries of one source share a fetch that is younger than a tenth of the interval.

    But none from before an attempt that failed: what that one was made for may have come since.
    """
    interval = parse_duration(registry.spec.sync_policy.interval)
    young = now - timedelta(seconds=interval / 10)
    sync = registry.status.sync_status
    tried = parse_time(sync.last_attempt) if sync.attempt_count else None
    return young if tried is None else max(young, tried + timedelta(seconds=1))  # as it is cut


def next_interval(registry: Registry, now: datetime) -> datetime:
    """When the next automatic sync is due: after the interval, moved by up to 5 % either way.

    The jitter is a function of registry and time, so that a decision made twice is the same.
    """
    interval = parse_duration(registry.spec.sync_policy.interval)
    seed = f"{registry.uid}\0{int(now.timestamp())}".encode()
    share = int.from_bytes(hashlib.sha256(seed).digest()[:4], "big") / 0xFFFFFFFF
    return now + timedelta(seconds=interval * (1 + JITTER * (2 * share - 1)))


def look_again(registry: Registry, now: datetime) -> datetime | None:
    """When a source that cannot tell of changes but is cheap to look at is looked at again."""
    watched = registry.spec.source.type is SourceType.FILE and registry.spec.sync_policy.enabled
    return now + FILE_POLL if watched else None


def waits_for_source(registry: Registry, error: ThvError) -> bool:
    """Whether a sync did not fail but came too early: its source has nothing to give yet, and nor has it."""
    has_served = registry.status.snapshot or registry.status.candidates
    return error.code is Code.SOURCE_NOT_READY and not has_served


def look_for_source(registry: Registry, now: datetime) -> datetime:
    """When a source that had nothing to give is looked at again, though it tells of its first content itself."""
    return now + _spread(SOURCE_POLL, registry, 0)


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """What happens after a failed attempt."""

    at: datetime
    attempts: int
    """Attempts since the last success or the last gain."""
    exhausted: bool
    """No retry is left; the next attempt is the next automatic sync."""


def after_failure(registry: Registry, error: ThvError, now: datetime, *, gained: bool) -> Retry:
    """When the next attempt is made. `gained`: the attempt brought pages, which renews the budget of retries."""
    policy = registry.spec.sync_policy.retry
    attempts = 1 if gained else registry.status.sync_status.attempt_count + 1
    if error.code in _OF_OUR_STORE:
        wait = min(timedelta(seconds=2) * 2 ** min(attempts - 1, 8), STORE_BACKOFF_LIMIT)
        return Retry(at=now + _spread(wait, registry, attempts), attempts=attempts, exhausted=False)
    if error.next is Next.NEVER or attempts > policy.max_retries:
        at = next_interval(registry, now)
        if error.code in _CURED_BESIDE:
            at = min(at, now + _spread(_CURED_BESIDE[error.code], registry, attempts))
        return Retry(at=at, attempts=attempts, exhausted=True)
    if error.retry_after is not None:
        return Retry(
            at=now + timedelta(seconds=error.retry_after), attempts=attempts, exhausted=False
        )
    wait = timedelta(seconds=parse_duration(policy.backoff_interval)) * 2 ** (attempts - 1)
    at = now + _spread(min(wait, BACKOFF_LIMIT), registry, attempts)
    return Retry(at=at, attempts=attempts, exhausted=False)


def _spread(wait: timedelta, registry: Registry, attempts: int) -> timedelta:
    """Moved by up to 5 % either way, the same each time that it is asked."""
    seed = f"{registry.uid}\0{attempts}".encode()
    share = int.from_bytes(hashlib.sha256(seed).digest()[:2], "big") / 0xFFFF
    return wait * (1 + JITTER * (2 * share - 1))
