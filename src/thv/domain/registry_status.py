"""The status of an MCPRegistry: what the operator says about it.

In the flow: the last step of a reconcile computes it, one write applies it. Every list is bounded; the content
itself is in the snapshot, never here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from thv.domain.conditions import CONDITION_LIMIT, Condition, condition_of
from thv.domain.fields import (
    ATOMIC,
    Count,
    Digest,
    Message,
    ObjectName,
    Reference,
    ServerName,
    ServerVersion,
    Time,
    Word,
    map_by,
)
from thv.domain.snapshot import ChunkRef, SnapshotRef

SERVER_LIMIT = 50
APPROVAL_LIMIT = 20
HISTORY_LIMIT = 50


class Phase(StrEnum):
    """Summary for people; the conditions decide."""

    PENDING = "Pending"
    SYNCING = "Syncing"
    READY = "Ready"
    FAILED = "Failed"
    TERMINATING = "Terminating"


class SyncPhase(StrEnum):
    """Where the sync of a registry is."""

    IDLE = "Idle"
    """The first one waits for its source."""
    SYNCING = "Syncing"
    COMPLETE = "Complete"
    FAILED = "Failed"


class Trigger(StrEnum):
    """Why a sync ran."""

    INTERVAL = "Interval"
    MANUAL = "Manual"
    SOURCE_CHANGED = "SourceChanged"
    SPEC_CHANGED = "SpecChanged"
    WEBHOOK = "Webhook"
    JOB = "Job"


class ApiPhase(StrEnum):
    """Where the registry's own API service is."""

    NOT_STARTED = "NotStarted"
    DEPLOYING = "Deploying"
    READY = "Ready"
    UNHEALTHY = "Unhealthy"
    ERROR = "Error"


class CheckOutcome(StrEnum):
    """What a gate said; only passed and waived let a revision through."""

    PENDING = "pending"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"
    WAIVED = "waived"
    EXPIRED = "expired"


# ---------------------------------------------------------------- content


class ServerSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One served name."""

    name: Annotated[ServerName, Meta(description="Exact name of the server.")]
    version: Annotated[ServerVersion, Meta(description="Its latest version.")] = ""
    tier: Annotated[Word, Meta(description='Tier. Example: "Official".')] = ""
    transport: Annotated[Word, Meta(description='Transport. Example: "stdio".')] = ""
    status: Annotated[Word, Meta(description='Word of the publisher. Example: "active".')] = ""


class Statistics(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Counts over what is served."""

    containers: Annotated[Count, Meta(description="Servers that run as a container.")] = 0
    remotes: Annotated[Count, Meta(description="Servers that run elsewhere.")] = 0
    packages: Annotated[Count, Meta(description="Servers that run from a package.")] = 0
    groups: Annotated[Count, Meta(description="Groups of servers.")] = 0
    tools: Annotated[Count, Meta(description="Tools of all servers.")] = 0
    deprecated: Annotated[Count, Meta(description="Deprecated versions.")] = 0
    filtered_out: Annotated[Count, Meta(description="Entries that the filter kept out.")] = 0
    blocked: Annotated[Count, Meta(description="Entries that policy kept out.")] = 0
    left_out: Annotated[
        ChunkRef | None,
        Meta(description="The list of the first 1,000 names that filter and policy kept out."),
    ] = None
    by_tier: Annotated[
        dict[str, Count],
        Meta(max_length=10, description="Servers by tier; the rest is under other."),
    ] = msgspec.field(default_factory=dict)
    by_transport: Annotated[
        dict[str, Count], Meta(max_length=5, description="Servers by transport.")
    ] = msgspec.field(default_factory=dict)
    by_category: Annotated[
        dict[str, Count],
        Meta(max_length=20, description="Servers by category; the rest is under other."),
    ] = msgspec.field(default_factory=dict)


# ---------------------------------------------------------------- sync


class SyncError(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why the last sync failed."""

    code: Annotated[
        str, Meta(max_length=64, description='One word for programs. Example: "SOURCE_TIMEOUT".')
    ]
    message: Annotated[Message, Meta(description="A sentence for people, without secrets.")]
    next: Annotated[
        Literal["never", "wait", "backoff"],
        Meta(
            description="What happens now: nothing until somebody acts, a try at retryAt, or tries that come later each time."
        ),
    ]
    retry_at: Annotated[Time, Meta(description="When it is tried again, RFC 3339.")] = ""


class Conversion(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How the last content was read."""

    read: Annotated[Count, Meta(description="Entries in the source.")] = 0
    converted: Annotated[Count, Meta(description="Entries that could be read.")] = 0
    skipped: Annotated[Count, Meta(description="Entries that could not.")] = 0
    lossy: Annotated[Count, Meta(description="Entries of which something could not be kept.")] = 0
    success_percent: Annotated[
        int, Meta(ge=0, le=100, description="Share of the entries that could be read, in percent.")
    ] = 0
    report_ref: Annotated[
        Reference | None, Meta(description="ConfigMap that names each finding, at most 200.")
    ] = None


class Progress(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How far a long first sync has come."""

    pages: Annotated[Count, Meta(description="Pages read so far.")] = 0
    entries: Annotated[Count, Meta(description="Entries read so far.")] = 0
    cursor: Annotated[str, Meta(max_length=512, description="Where it goes on.")] = ""


class SyncRun(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One sync of the past that changed something, or failed."""

    started_at: Annotated[Time, Meta(description="When it began, RFC 3339.")] = ""
    finished_at: Annotated[Time, Meta(description="When it ended, RFC 3339.")] = ""
    trigger: Annotated[Trigger | None, Meta(description="Why it ran.")] = None
    outcome: Annotated[Literal["Succeeded", "Failed"] | None, Meta(description="How it ended.")] = (
        None
    )
    revision: Annotated[str, Meta(max_length=255, description="Revision of the source.")] = ""
    snapshot: Annotated[Digest, Meta(description="Digest of the snapshot that it made.")] = ""
    added: Annotated[Count, Meta(description="Versions that came.")] = 0
    changed: Annotated[Count, Meta(description="Versions with other content.")] = 0
    removed: Annotated[Count, Meta(description="Versions that went.")] = 0
    filtered: Annotated[Count, Meta(description="Entries that filter and policy kept out.")] = 0
    invalid: Annotated[Count, Meta(description="Items that could not be read.")] = 0
    error: Annotated[Message, Meta(description="Code and sentence of a failure.")] = ""


class SyncStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The last sync and the next one."""

    phase: Annotated[SyncPhase | None, Meta(description="Where the sync is.")] = None
    last_attempt: Annotated[Time, Meta(description="When a sync last began, RFC 3339.")] = ""
    last_sync_time: Annotated[
        Time,
        Meta(description="When the content was last up to date, RFC 3339; failures leave it."),
    ] = ""
    next_sync_time: Annotated[Time, Meta(description="When the next sync is due, RFC 3339.")] = ""
    attempt_count: Annotated[Count, Meta(description="Attempts since the last success.")] = 0
    duration_milliseconds: Annotated[
        Count, Meta(description="Length of the last sync in milliseconds.")
    ] = 0
    trigger: Annotated[Trigger | None, Meta(description="Why the last sync ran.")] = None
    revision: Annotated[
        str,
        Meta(
            max_length=255,
            description="Commit, artifact digest or watermark of the content that was read.",
        ),
    ] = ""
    resolved_url: Annotated[
        str,
        Meta(
            max_length=2048,
            description="The URL that answered, where it is not the one of the spec; without credentials.",
        ),
    ] = msgspec.field(default="", name="resolvedURL")
    format: Annotated[
        str, Meta(max_length=32, description='Format that was read. Example: "upstream".')
    ] = ""
    etag: Annotated[
        str, Meta(max_length=255, description="Validator that the source gave for its content.")
    ] = ""
    webhook_path: Annotated[
        str,
        Meta(
            max_length=512,
            description='Where a signed POST triggers a sync. Example: "/api/v1/hooks/default/corp".',
        ),
    ] = ""
    last_sync_hash: Annotated[Digest, Meta(description="Digest of the content that was read.")] = ""
    error: Annotated[
        SyncError | None, Meta(description="Why the last sync failed; absent when it did not.")
    ] = None
    conversion: Annotated[Conversion | None, Meta(description="How the last content was read.")] = (
        None
    )
    progress: Annotated[Progress | None, Meta(description="Checkpoint of a long first sync.")] = (
        None
    )

    # ---------------------------------------------------------------- serving
    history: Annotated[
        tuple[SyncRun, ...],
        Meta(
            max_length=HISTORY_LIMIT,
            description="The last syncs that changed something or failed, newest first.",
            extra_json_schema=ATOMIC,
        ),
    ] = ()


class ApiStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The registry's own API service."""

    phase: Annotated[ApiPhase | None, Meta(description="Where the service is.")] = None
    endpoint: Annotated[
        str,
        Meta(
            max_length=512,
            description='Base URL of the API. Example: "http://corp-api.default.svc:8080".',
        ),
    ] = ""
    ready_replicas: Annotated[Count | None, Meta(description="Pods that answer.")] = None
    target_port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)] | None,
        Meta(description="Port of the shared pods that answers; only with spec.api.mode shared."),
    ] = None
    message: Annotated[Message, Meta(description="Why it is not ready, for people.")] = ""


class CatalogState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The pipeline of a governed registry in four counts."""

    approved_servers: Annotated[
        Count, Meta(description="Revisions that are served after approval.")
    ] = 0
    pending_promotion: Annotated[Count, Meta(description="Revisions under way.")] = 0
    rejected_servers: Annotated[
        Count, Meta(description="Revisions that failed, were rejected, suspended or revoked.")
    ] = 0
    queued: Annotated[
        Count, Meta(description="Candidates that wait because maxOpenReviews is reached.")
    ] = 0
    last_validation: Annotated[Time, Meta(description="When the pipeline last ran, RFC 3339.")] = ""


class AutomatedChecks(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the gates said."""

    security_scan: Annotated[CheckOutcome | None, Meta(description="Vulnerability scan.")] = None
    performance_test: Annotated[CheckOutcome | None, Meta(description="Performance test.")] = None
    functional_test: Annotated[CheckOutcome | None, Meta(description="Functional test.")] = None
    policy_check: Annotated[CheckOutcome | None, Meta(description="Static rules.")] = None
    signature: Annotated[CheckOutcome | None, Meta(description="Signature of the image.")] = None
    deployment_count: Annotated[
        Count | None, Meta(description="MCPServers of the revision seen ready at once.")
    ] = None


class ReviewComment(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What somebody said."""

    author: Annotated[str, Meta(max_length=512, description="User name.")]
    timestamp: Annotated[Time, Meta(description="When, RFC 3339.")]
    comment: Annotated[str, Meta(max_length=500, description="The text, cut to 500 characters.")]


class ExternalTicket(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A ticket in another system."""

    system: Annotated[
        Literal["JIRA", "ServiceNow", "GitHub"], Meta(description="System that holds it.")
    ]
    ticket_id: Annotated[str, Meta(max_length=128, description='Its id. Example: "SEC-12345".')]
    status: Annotated[str, Meta(max_length=64, description='Its state. Example: "Approved".')] = ""
    url: Annotated[str, Meta(max_length=2048, description="Its page.")] = ""


class ServerApproval(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The latest review of one version of one server."""

    server_name: Annotated[ServerName, Meta(description="Exact name of the server.")]
    version: Annotated[ServerVersion, Meta(description="Exact version.")]
    current_status: Annotated[
        Literal["pending", "under-review", "approved", "rejected"] | None,
        Meta(description="Where the review is."),
    ] = None
    submitted_at: Annotated[Time, Meta(description="When it was submitted, RFC 3339.")] = ""
    assigned_reviewers: Annotated[
        tuple[Annotated[str, Meta(max_length=512)], ...],
        Meta(
            max_length=20,
            description="Teams and people who are asked, teams first.",
            extra_json_schema=ATOMIC,
        ),
    ] = ()
    approval_progress: Annotated[
        dict[
            str,
            Literal["pending", "approved", "rejected", "changes-requested", "not-required"],
        ],
        Meta(max_length=10, description="State of each team; the key is its name in camel case."),
    ] = msgspec.field(default_factory=dict)
    automated_checks: Annotated[
        AutomatedChecks | None, Meta(description="What the gates said.")
    ] = None
    review_comments: Annotated[
        tuple[ReviewComment, ...],
        Meta(
            max_length=3,
            description="The newest comments; the review has the others.",
            extra_json_schema=ATOMIC,
        ),
    ] = ()
    external_tickets: Annotated[
        tuple[ExternalTicket, ...],
        Meta(
            max_length=10,
            description="Tickets of the review.",
            extra_json_schema=map_by("system", "ticketId"),
        ),
    ] = ()


class Enforcement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What enforceServers found."""

    images: Annotated[Count, Meta(description="Images that may be used.")] = 0
    violations: Annotated[Count, Meta(description="MCPServers that use another one.")] = 0
    violating_servers: Annotated[
        tuple[ObjectName, ...],
        Meta(
            max_length=20,
            description="The first of them by name.",
            extra_json_schema=ATOMIC,
        ),
    ] = ()


class Revocation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A server that must not be served any more."""

    server_name: Annotated[ServerName, Meta(description="Exact name of the server.")]
    version: Annotated[ServerVersion, Meta(description="The version; absent means all.")] = ""
    action: Annotated[
        Literal["hide", "block", "stop"],
        Meta(description="Not served, also refused by enforcement, also stopped."),
    ] = "hide"
    since: Annotated[Time, Meta(description="When it was revoked, RFC 3339.")] = ""
    sign_off: Annotated[
        str, Meta(max_length=253, description="Name of the sign-off that says so.")
    ] = ""


# ---------------------------------------------------------------- the whole


class RegistryStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the operator observed; nobody else writes it."""

    observed_generation: Annotated[
        Count, Meta(description="Generation of the spec that this is about.")
    ] = 0
    phase: Annotated[Phase | None, Meta(description="Summary for people; conditions decide.")] = (
        None
    )
    conditions: Annotated[
        tuple[Condition, ...],
        Meta(
            max_length=CONDITION_LIMIT,
            description="Ready, SourceAvailable, DataValid, SyncSucceeded, APIReady and others; Reconciling and Stalled only while True.",
            extra_json_schema=map_by("type"),
        ),
    ] = ()
    server_count: Annotated[Count, Meta(description="Names that are served.")] = 0
    version_count: Annotated[Count, Meta(description="Versions that are served, of all names.")] = 0
    servers: Annotated[
        tuple[ServerSummary, ...],
        Meta(
            max_length=SERVER_LIMIT,
            description="The first 50 servers by name; the API has all.",
            extra_json_schema=ATOMIC,
        ),
    ] = ()
    servers_truncated: Annotated[
        bool, Meta(description="True when there are more than the list holds.")
    ] = False
    statistics: Annotated[Statistics | None, Meta(description="Counts over what is served.")] = None
    sync_status: Annotated[SyncStatus, Meta(description="The last sync and the next one.")] = (
        SyncStatus()
    )
    snapshot: Annotated[SnapshotRef | None, Meta(description="What is served.")] = None
    previous_snapshot: Annotated[
        SnapshotRef | None, Meta(description="What was served before, for late readers.")
    ] = None
    candidates: Annotated[
        SnapshotRef | None,
        Meta(description="Content of the source after the filter, of a governed registry."),
    ] = None
    api_status: Annotated[ApiStatus, Meta(description="The registry's own API service.")] = (
        ApiStatus()
    )
    catalog_state: Annotated[
        CatalogState | None, Meta(description="The pipeline of a governed registry.")
    ] = None
    server_approval_status: Annotated[
        tuple[ServerApproval, ...],
        Meta(
            max_length=APPROVAL_LIMIT,
            description="The latest review of each version, open ones first; the reviews have all.",
            extra_json_schema=map_by("serverName", "version"),
        ),
    ] = ()
    enforcement: Annotated[Enforcement | None, Meta(description="What enforceServers found.")] = (
        None
    )
    revocations: Annotated[
        tuple[Revocation, ...],
        Meta(
            max_length=50,
            description="The newest revocations; all sign-offs count, listed or not.",
            extra_json_schema=ATOMIC,
        ),
    ] = ()
    last_handled_sync_request: Annotated[
        str,
        Meta(
            max_length=255,
            description="Value of the annotation sync-requested-at that was last obeyed.",
        ),
    ] = ""

    @property
    def waits_because(self) -> str:
        """Why its first sync cannot begin yet though nothing failed, `""` where it does not wait."""
        ready = condition_of(self.conditions, "Ready")
        goes_on = condition_of(self.conditions, "Reconciling") is not None
        is_idle = self.sync_status.phase is SyncPhase.IDLE
        return ready.message if ready is not None and is_idle and goes_on else ""
