"""What a sync leaves in the status of its registry: conditions, counts, times; pure.

In the flow: last step of a reconcile, written once. A failure keeps what is served and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from thv.domain.conditions import Condition, ConditionStatus, merge_conditions
from thv.domain.errors import Code, ThvError
from thv.domain.reasons import ReasonWord
from thv.domain.registry import Registry
from thv.domain.registry_status import (
    HISTORY_LIMIT,
    ApiPhase,
    CatalogState,
    Conversion,
    Phase,
    RegistryStatus,
    ServerSummary,
    Statistics,
    SyncError,
    SyncPhase,
    SyncRun,
    SyncStatus,
    Trigger,
)
from thv.domain.registry_status import (
    Progress as ProgressStatus,
)
from thv.domain.snapshot import SnapshotRef
from thv.domain.times import render_time
from thv.stores.mirrors.base import MirrorState, Totals
from thv.sync.api import ApiState
from thv.sync.due import Retry
from thv.sync.fetch import Progress
from thv.sync.flow import Outcome

EMPTY_DIGEST = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

# Which condition an error speaks about, and its reason there.
_SOURCE: Mapping[Code, ReasonWord] = {
    Code.SOURCE_UNREACHABLE: "SourceUnreachable",
    Code.SOURCE_TIMEOUT: "Timeout",
    Code.SOURCE_NOT_FOUND: "NotFound",
    Code.SOURCE_NOT_READY: "SourceUnreachable",
    Code.PATH_NOT_FOUND: "PathNotFound",
    Code.AUTHENTICATION_FAILED: "AuthenticationFailed",
    Code.TLS_VERIFICATION_FAILED: "TLSVerificationFailed",
    Code.ADDRESS_DENIED: "AddressDenied",
    Code.HOST_NOT_ALLOWED: "HostNotAllowed",
    Code.RATE_LIMITED: "RateLimited",
    Code.SECRET_NOT_FOUND: "SecretNotFound",
    Code.SECRET_FORBIDDEN: "SecretForbidden",
    Code.TOOL_MISSING: "ToolMissing",
}
_DATA: Mapping[Code, ReasonWord] = {
    Code.FORMAT_INVALID: "FormatInvalid",
    Code.FORMAT_UNSUPPORTED: "FormatUnsupported",
    Code.SIZE_LIMIT_EXCEEDED: "SizeLimitExceeded",
    Code.EMPTY: "Empty",
}
_STALLED: Mapping[Code, ReasonWord] = {
    Code.INVALID: "Invalid",
    Code.SOURCE_TYPE_UNSUPPORTED: "SourceTypeUnsupported",
    Code.REGISTRY_CYCLE: "RegistryCycle",
}


class Attempted(msgspec.Struct, frozen=True, kw_only=True):
    """The frame of one attempt."""

    trigger: Trigger
    began: datetime
    ended: datetime
    handled_request: str
    """Value of the sync annotation that this attempt answers."""
    api: ApiState | None
    """State of the registry's API; None where nothing serves it."""


def succeeded(
    registry: Registry, attempt: Attempted, outcome: Outcome, next_sync: datetime
) -> RegistryStatus:
    """The status after a sync that came to its end."""
    old = registry.status
    served, candidates = _pointers(registry, outcome, attempt)
    changed = served != old.snapshot or candidates != old.candidates
    sync = SyncStatus(
        phase=SyncPhase.COMPLETE,
        last_attempt=render_time(attempt.began),
        last_sync_time=render_time(attempt.ended),
        next_sync_time=render_time(next_sync),
        attempt_count=0,
        duration_milliseconds=_milliseconds(attempt),
        trigger=attempt.trigger,
        revision=outcome.known.revision[:255],
        resolved_url=outcome.known.resolved_url[:2048],
        format=outcome.mirror.format,
        etag=outcome.known.etag[:255],
        last_sync_hash=outcome.snapshot.digest,
        conversion=_conversion(outcome.mirror, outcome.totals, old.sync_status.conversion),
        history=_history(old.sync_status.history, _run_of(attempt, outcome))
        if changed
        else old.sync_status.history,
    )
    status = msgspec.structs.replace(
        old,
        observed_generation=registry.generation,
        phase=Phase.READY,
        sync_status=sync,
        snapshot=served,
        previous_snapshot=old.snapshot if changed and old.snapshot else old.previous_snapshot,
        candidates=candidates,
        last_handled_sync_request=attempt.handled_request or old.last_handled_sync_request,
        api_status=attempt.api.status if attempt.api else old.api_status,
    )
    if outcome.totals is not None:
        status = _with_figures(status, registry, outcome, outcome.totals, attempt)
    conditions = _good(registry, status, outcome, attempt.api)
    return _with_conditions(status, registry, conditions, attempt.ended)


def failed(registry: Registry, attempt: Attempted, error: ThvError, retry: Retry) -> RegistryStatus:
    """The status after an attempt that failed; what is served stays."""
    old = registry.status
    sync = msgspec.structs.replace(
        old.sync_status,
        phase=SyncPhase.FAILED,
        last_attempt=render_time(attempt.began),
        next_sync_time=render_time(retry.at),
        attempt_count=retry.attempts,
        duration_milliseconds=_milliseconds(attempt),
        trigger=attempt.trigger,
        error=SyncError(
            code=error.code.value,
            message=_short(error.message),
            next=error.next.value,
            retry_at=render_time(retry.at),
        ),
        history=_history(old.sync_status.history, _failed_run(attempt, error)),
    )
    status = msgspec.structs.replace(
        old,
        observed_generation=registry.generation,
        phase=Phase.READY if old.snapshot else Phase.FAILED,
        sync_status=sync,
        last_handled_sync_request=attempt.handled_request or old.last_handled_sync_request,
        api_status=attempt.api.status if attempt.api else old.api_status,
    )
    conditions = _bad(registry, status, error, retry, attempt.api)
    return _with_conditions(status, registry, conditions, attempt.ended)


def waiting(
    registry: Registry, attempt: Attempted, error: ThvError, next_look: datetime
) -> RegistryStatus:
    """The status of a registry whose source has nothing to give yet: nothing failed, so nothing is kept of the attempt."""
    old = registry.status
    sync = msgspec.structs.replace(
        old.sync_status,
        phase=SyncPhase.IDLE,
        last_attempt=render_time(attempt.began),
        next_sync_time=render_time(next_look),
        attempt_count=0,
        trigger=attempt.trigger,
        error=None,
        progress=None,
    )
    status = msgspec.structs.replace(
        old,
        observed_generation=registry.generation,
        phase=Phase.PENDING,
        sync_status=sync,
        last_handled_sync_request=attempt.handled_request or old.last_handled_sync_request,
        api_status=attempt.api.status if attempt.api else old.api_status,
    )
    message = f"it waits: {error.message}"
    conditions = [
        *_api(registry, status, attempt.api),
        _condition(registry, "Ready", "False", "Progressing", message),
        _condition(registry, "Reconciling", "True", "Progressing", message),
    ]
    unknown = ("SourceAvailable", "DataValid", "SyncSucceeded")
    return _with_conditions(status, registry, conditions, attempt.ended, drop=unknown)


def syncing(
    registry: Registry, trigger: Trigger, began: datetime, now: datetime, progress: Progress
) -> RegistryStatus:
    """The status in the middle of a long sync."""
    old = registry.status
    sync = msgspec.structs.replace(
        old.sync_status,
        phase=SyncPhase.SYNCING,
        last_attempt=render_time(began),
        trigger=trigger,
        progress=ProgressStatus(
            pages=progress.pages, entries=progress.entries, cursor=progress.cursor[:512]
        ),
    )
    phase = Phase.READY if old.snapshot else Phase.SYNCING
    status = msgspec.structs.replace(old, phase=phase, sync_status=sync)
    message = f"{progress.entries} entries read"
    conditions = [_condition(registry, "Reconciling", "True", "Progressing", message)]
    if not old.snapshot:
        conditions.append(_condition(registry, "Ready", "False", "Progressing", message))
    return _with_conditions(status, registry, conditions, now)


def suspended(registry: Registry, now: datetime, api: ApiState | None) -> RegistryStatus:
    """The status of a registry whose automatic sync is off."""
    status = msgspec.structs.replace(
        registry.status,
        observed_generation=registry.generation,
        phase=Phase.READY if registry.status.snapshot else Phase.PENDING,
        sync_status=msgspec.structs.replace(registry.status.sync_status, next_sync_time=""),
        api_status=api.status if api else registry.status.api_status,
    )
    message = "automatic sync is off; ask for one with: thv registry sync " + registry.name
    conditions = [
        _condition(registry, "SyncSucceeded", "Unknown", "Suspended", message),
        *_api(registry, status, api),
    ]
    if not registry.status.snapshot:
        conditions.append(
            _condition(registry, "Ready", "False", "Progressing", "nothing was synchronized yet")
        )
    return _with_conditions(status, registry, conditions, now)


def served(registry: Registry, now: datetime, api: ApiState) -> RegistryStatus:
    """The status of a registry of which only the API moved."""
    old = registry.status
    status = msgspec.structs.replace(old, api_status=api.status)
    conditions = [*_kept(old, "Reconciling", "Stalled"), *_api(registry, status, api)]
    ready = next((each for each in old.conditions if each.type == "Ready"), None)
    if ready is not None and (ready.status == "True" or ready.reason == _API_NOT_READY):
        conditions.append(_ready(registry, status, api, *_last_word(status)))
    return _with_conditions(status, registry, conditions, now)


def _kept(status: RegistryStatus, *kinds: str) -> list[Condition]:
    """Abnormal conditions that still hold; those about the API are made anew."""
    return [
        each for each in status.conditions if each.type in kinds and each.reason != _API_NOT_READY
    ]


def _last_word(status: RegistryStatus) -> tuple[ReasonWord, str]:
    """Reason and message of Ready, as the last sync left them, API aside."""
    last = next((each for each in status.conditions if each.type == "SyncSucceeded"), None)
    if last is not None and last.status == "False":
        return "ServingLastGood", last.message
    return "Succeeded", _counted(status.server_count, "server")


# Conditions ------------------------------------------------------------------------------------------------

_API_NOT_READY: ReasonWord = "APINotReady"


def _good(
    registry: Registry, status: RegistryStatus, outcome: Outcome, api: ApiState | None
) -> list[Condition]:
    count = _counted(status.server_count, "server")
    source_reason: ReasonWord = "Fetched" if outcome.fetched else "NotModified"
    if outcome.known.resolved_url:
        source_reason = "APIDiscovered"
    data_reason, data_message = _data(status, outcome.mirror)
    conditions = [
        _condition(registry, "SourceAvailable", "True", source_reason, outcome.known.resolved_url),
        _condition(registry, "DataValid", "True", data_reason, data_message),
        _condition(
            registry,
            "SyncSucceeded",
            "True",
            "Unchanged" if outcome.totals is None else "Succeeded",
            count,
        ),
        *_api(registry, status, api),
        _ready(registry, status, api, "Succeeded", count),
    ]
    if registry.governed:
        waiting = status.catalog_state.pending_promotion if status.catalog_state else 0
        reason: ReasonWord = "ApprovalPending" if waiting else "AllPromoted"
        conditions.append(
            _condition(
                registry,
                "PolicySatisfied",
                "False" if waiting else "True",
                reason,
                f"{waiting} wait for promotion",
            )
        )
    return conditions


def _data(status: RegistryStatus, mirror: MirrorState) -> tuple[ReasonWord, str]:
    if status.version_count == 0 and not status.candidates:
        return "FilterMatchedNothing", "filter and policy let no entry pass"
    if mirror.rejected:
        first = mirror.problems[0] if mirror.problems else None
        named = f"; the first: {first.place} {first.reason}" if first else ""
        return "ParsedWithSkips", f"{mirror.rejected} of {mirror.read} items were skipped{named}"
    return "Parsed", _counted(mirror.read, "item")


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _bad(
    registry: Registry,
    status: RegistryStatus,
    error: ThvError,
    retry: Retry,
    api: ApiState | None,
) -> list[Condition]:
    message = error.message
    conditions = _api(registry, status, api)
    if error.code in _STALLED:
        conditions.append(_condition(registry, "Stalled", "True", _STALLED[error.code], message))
        conditions.append(_condition(registry, "Ready", "False", "Invalid", message))
        return conditions
    conditions.append(_topic(registry, error))
    reason: ReasonWord = "Failed" if retry.exhausted else "Retrying"
    conditions.append(_condition(registry, "SyncSucceeded", "False", reason, message))
    if status.snapshot:
        conditions.append(_ready(registry, status, api, "ServingLastGood", message))
    else:
        too_large = error.code is Code.SNAPSHOT_TOO_LARGE
        ready: ReasonWord = "SnapshotTooLarge" if too_large else "SourceNotReady"
        conditions.append(_condition(registry, "Ready", "False", ready, message))
    # What is served is not what the source holds: whoever waits for that goes on waiting, however long it takes.
    conditions.append(_condition(registry, "Reconciling", "True", "Retrying", message))
    return conditions


def _topic(registry: Registry, error: ThvError) -> Condition:
    """The condition that an error speaks about."""
    if error.code in _DATA:
        return _condition(registry, "DataValid", "False", _DATA[error.code], error.message)
    reason = _SOURCE.get(error.code)
    if reason is None:  # a store of ours failed; the source has nothing to do with it
        return _condition(registry, "SyncSucceeded", "False", "Failed", error.message)
    return _condition(registry, "SourceAvailable", "False", reason, error.message)


def _api(registry: Registry, status: RegistryStatus, api: ApiState | None) -> list[Condition]:
    """What there is to say of the API; nothing where nobody knows of one."""
    if not registry.spec.api.enabled:
        return [_condition(registry, "APIReady", "True", "Disabled", "")]
    known = status.api_status
    if api is None or api.reason == "Available":
        return (
            [_condition(registry, "APIReady", "True", "Available", known.endpoint)]
            if known.endpoint
            else []
        )
    conditions = [_condition(registry, "APIReady", "False", api.reason, known.message)]
    if known.phase is ApiPhase.DEPLOYING:
        conditions.append(
            _condition(registry, "Reconciling", "True", _API_NOT_READY, known.message)
        )
    return conditions


def _ready(
    registry: Registry,
    status: RegistryStatus,
    api: ApiState | None,
    reason: ReasonWord,
    message: str,
) -> Condition:
    """Ready, unless the API that should serve the content does not."""
    if registry.spec.api.enabled and api is not None and api.reason != "Available":
        why = status.api_status.message or "the API does not answer yet"
        return _condition(registry, "Ready", "False", _API_NOT_READY, why)
    return _condition(registry, "Ready", "True", reason, message)


def _condition(
    registry: Registry, kind: str, status: ConditionStatus, reason: ReasonWord, message: str
) -> Condition:
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=_short(message),
        observed_generation=registry.generation,
    )


def _with_conditions(
    status: RegistryStatus,
    registry: Registry,
    conditions: list[Condition],
    now: datetime,
    *,
    drop: tuple[str, ...] = (),
) -> RegistryStatus:
    gone = drop if registry.governed else (*drop, "PolicySatisfied")
    merged = merge_conditions(status.conditions, conditions, now=render_time(now), drop=gone)
    phase = _phase(status.phase, merged)
    return msgspec.structs.replace(status, conditions=merged, phase=phase)


def _phase(asked: Phase | None, conditions: tuple[Condition, ...]) -> Phase | None:
    """A registry whose content is there but whose API is not is pending."""
    waits = any(each.type == "Ready" and each.reason == _API_NOT_READY for each in conditions)
    if waits:
        return Phase.PENDING
    was_waiting = asked is Phase.PENDING
    ready = any(each.type == "Ready" and each.status == "True" for each in conditions)
    return Phase.READY if was_waiting and ready else asked


# Figures ---------------------------------------------------------------------------------------------------


def _pointers(
    registry: Registry, outcome: Outcome, attempt: Attempted
) -> tuple[SnapshotRef | None, SnapshotRef | None]:
    """What is served, and the candidates; a governed registry serves only what was promoted."""
    if not registry.governed:
        return outcome.snapshot, None
    nothing = msgspec.structs.replace(
        outcome.snapshot,
        digest=EMPTY_DIGEST,
        entries=0,
        bytes=0,
        chunks=(),
        created_at=render_time(attempt.ended),
    )
    old = registry.status.snapshot
    return old if old and old.digest == EMPTY_DIGEST else nothing, outcome.snapshot


def _with_figures(
    status: RegistryStatus,
    registry: Registry,
    outcome: Outcome,
    totals: Totals,
    attempt: Attempted,
) -> RegistryStatus:
    if registry.governed:
        catalog = CatalogState(
            pending_promotion=totals.names, last_validation=render_time(attempt.ended)
        )
        return msgspec.structs.replace(
            status,
            catalog_state=catalog,
            server_count=0,
            version_count=0,
            servers=(),
            servers_truncated=False,
            statistics=Statistics(
                filtered_out=totals.filtered, blocked=totals.blocked, left_out=outcome.left_out
            ),
        )
    groups = totals.groups
    kinds: Mapping[str, int] = groups.get("kind", {})
    return msgspec.structs.replace(
        status,
        catalog_state=None,
        server_count=totals.names,
        version_count=totals.versions,
        servers=tuple(
            ServerSummary(
                name=item.name,
                version=item.version,
                tier=item.tier,
                transport=item.transport,
                status="deprecated" if item.deprecated else "active",
            )
            for item in totals.first
        ),
        servers_truncated=totals.names > len(totals.first),
        statistics=Statistics(
            containers=kinds.get("container", 0),
            remotes=kinds.get("remote", 0),
            packages=kinds.get("package", 0),
            tools=groups.get("tools", 0),
            deprecated=groups.get("deprecated", 0),
            filtered_out=totals.filtered,
            blocked=totals.blocked,
            left_out=outcome.left_out,
            by_tier=_most(groups.get("tier", {}), 10),
            by_transport=_most(groups.get("transport", {}), 5),
            by_category=_most(groups.get("category", {}), 20),
        ),
    )


def _most(counts: Mapping[str, int], limit: int) -> dict[str, int]:
    """The most frequent values; the rest is summed under `other`."""
    ordered = sorted(
        ((value, count) for value, count in counts.items() if value),
        key=lambda pair: (-pair[1], pair[0]),
    )
    if len(ordered) <= limit:
        return dict(ordered)
    kept = dict(ordered[: limit - 1])
    kept["other"] = kept.get("other", 0) + sum(count for _, count in ordered[limit - 1 :])
    return kept


def _conversion(
    mirror: MirrorState, totals: Totals | None, old: Conversion | None
) -> Conversion | None:
    """How many items became entries, and how many of those cannot be run from a ToolHive entry."""
    if totals is None and old is not None:
        return old
    converted = mirror.read - mirror.rejected
    lossy = totals.groups.get("kind", {}).get("none", 0) if totals else 0
    return Conversion(
        read=mirror.read,
        converted=converted,
        skipped=mirror.rejected,
        lossy=lossy,
        success_percent=converted * 100 // mirror.read if mirror.read else 100,
        report_ref=old.report_ref if old else None,
    )


def _run_of(attempt: Attempted, outcome: Outcome) -> SyncRun:
    totals = outcome.totals
    return SyncRun(
        started_at=render_time(attempt.began, milliseconds=True),
        finished_at=render_time(attempt.ended, milliseconds=True),
        trigger=attempt.trigger,
        outcome="Succeeded",
        revision=outcome.known.revision[:255],
        snapshot=outcome.snapshot.digest,
        added=outcome.counts.added,
        changed=outcome.counts.changed,
        removed=outcome.counts.removed,
        filtered=totals.filtered + totals.blocked if totals else 0,
        invalid=outcome.mirror.rejected,
    )


def _failed_run(attempt: Attempted, error: ThvError) -> SyncRun:
    return SyncRun(
        started_at=render_time(attempt.began, milliseconds=True),
        finished_at=render_time(attempt.ended, milliseconds=True),
        trigger=attempt.trigger,
        outcome="Failed",
        error=f"{error.code.value}: {_short(error.message)}"[:200],
    )


def _history(old: tuple[SyncRun, ...], run: SyncRun) -> tuple[SyncRun, ...]:
    """Newest first; a failure that repeats itself replaces the one before."""
    repeated = bool(old) and run.outcome == "Failed" and old[0].error == run.error
    return (run, *(old[1:] if repeated else old))[:HISTORY_LIMIT]


def _milliseconds(attempt: Attempted) -> int:
    return int((attempt.ended - attempt.began).total_seconds() * 1000)


def _short(message: str) -> str:
    return message if len(message) <= 200 else message[:197] + "..."
