"""The policy of a registry: what an entry must satisfy, and what a revision must show to be promoted.

In the flow: part of the spec of an MCPRegistry; the pipeline of reviews reads it. Policy belongs to the target:
the registry that receives the server.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from thv.domain.fields import ATOMIC, SET, Duration, Team, Time, Word, map_by


class Severity(StrEnum):
    """How bad a finding of a scan is, mildest first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class OnTimeout(StrEnum):
    """What happens to a review that nobody decided in time."""

    EXPIRE = "expire"
    ESCALATE = "escalate"
    APPROVE = "approve"


Teams = Annotated[tuple[Team, ...], Meta(max_length=10, extra_json_schema=SET)]
Tiers = Annotated[tuple[Word, ...], Meta(max_length=10, extra_json_schema=SET)]


class IgnoredFinding(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A finding that is accepted for a time."""

    id: Annotated[
        str,
        Meta(
            min_length=1, max_length=128, description='Id of the finding. Example: "CVE-2026-0001".'
        ),
    ]
    reason: Annotated[
        str,
        Meta(
            min_length=10,
            max_length=500,
            description='Why it is accepted, for the audit log. Example: "code path not reachable here".',
        ),
    ]
    expires_at: Annotated[
        Time,
        Meta(description='When it counts again, RFC 3339. Example: "2027-03-01T00:00:00Z".'),
    ]


class ScanPolicy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the vulnerability scan must say."""

    fail_on: Annotated[
        Severity, Meta(description="Lowest severity that fails the scan. Default: high.")
    ] = Severity.HIGH
    max_age: Annotated[
        Duration,
        Meta(description="Age at which a result no longer counts, 1h to 8760h. Default: 168h."),
    ] = "168h"
    ignored_findings: Annotated[
        tuple[IgnoredFinding, ...],
        Meta(
            max_length=100,
            description='Findings that are accepted for a time. Example: [{id: CVE-2026-0001, reason: "not reachable", expiresAt: "2027-03-01T00:00:00Z"}].',
            extra_json_schema=map_by("id"),
        ),
    ] = ()


class ReviewTeam(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A team that must sign."""

    name: Annotated[Team, Meta(description='Name of the team. Example: "security-team".')]
    min: Annotated[
        int, Meta(ge=1, le=5, description="People of the team who must approve. Default: 1.")
    ] = 1
    categories: Annotated[
        tuple[Word, ...],
        Meta(
            max_length=20,
            description='Only servers of these categories need the team; none given means all. Example: ["database"].',
            extra_json_schema=ATOMIC,
        ),
    ] = ()
    risk: Annotated[
        tuple[
            Annotated[
                Literal["low", "medium", "high"], Meta(description="Risk level of a server.")
            ],
            ...,
        ],
        Meta(
            max_length=3,
            description='Only servers of this risk need the team; none given means all. Example: ["high"].',
            extra_json_schema=ATOMIC,
        ),
    ] = ()


class Ticket(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An external ticket that follows a review."""

    system: Annotated[
        Literal["JIRA", "ServiceNow", "GitHub"],
        Meta(description='System that holds the ticket. Example: "JIRA".'),
    ]
    channel: Annotated[
        Word,
        Meta(description='Connection configured in the operator. Example: "jira-sec".'),
    ] = ""
    required: Annotated[
        bool, Meta(description="Its approval is a gate of the review. Default: false.")
    ] = False


class ReviewPolicy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who must approve, and in what time."""

    min_approvals: Annotated[
        int,
        Meta(ge=1, le=10, description="Distinct people who must approve, 1 to 10. Default: 1."),
    ] = 1
    teams: Annotated[
        tuple[ReviewTeam, ...],
        Meta(
            max_length=10,
            description="Teams that must sign; merged with promotionCriteria.approvedBy, the larger min wins. Example: [{name: security-team, min: 1}].",
            extra_json_schema=map_by("name"),
        ),
    ] = ()
    timeout: Annotated[
        Duration,
        Meta(description="Time to decide from the submission, 1h to 8760h. Default: 336h."),
    ] = "336h"
    on_timeout: Annotated[
        OnTimeout,
        Meta(
            description="Then the review expires, is escalated once, or is approved if all gates passed and the risk is low. Default: expire."
        ),
    ] = OnTimeout.EXPIRE
    escalate_to: Annotated[
        Team,
        Meta(description='Team that an escalated review is assigned to. Example: "management".'),
    ] = ""
    reminders: Annotated[
        tuple[Annotated[Duration, Meta(description="Time before the deadline.")], ...],
        Meta(
            max_length=5,
            description="When to remind, as times before the deadline, each 1m to 8760h. Default: [24h].",
            extra_json_schema=ATOMIC,
        ),
    ] = ("24h",)
    channels: Annotated[
        tuple[Word, ...],
        Meta(
            max_length=5,
            description='Notification channels configured in the operator. Example: ["reviews-mail"].',
            extra_json_schema=ATOMIC,
        ),
    ] = ()
    ticket: Annotated[
        Ticket | None, Meta(description="Opens a ticket for each review and follows it.")
    ] = None
    valid_for: Annotated[
        Duration,
        Meta(
            description='Time after which a promoted revision is due for a re-review, 24h to 26280h. Example: "4320h".'
        ),
    ] = ""
    grace: Annotated[
        Duration,
        Meta(description="Time it is still served while re-reviewed, 1h to 2160h. Default: 336h."),
    ] = "336h"
    waiver_approvals: Annotated[
        int, Meta(ge=1, le=5, description="People who must waive a gate, 1 to 5. Default: 2.")
    ] = 2
    allow_break_glass: Annotated[
        bool,
        Meta(
            description="Permits a promotion for at most 72h before the approvals. Default: false."
        ),
    ] = False


class ValidationPolicy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an entry must satisfy to be served."""

    approval_required: Annotated[
        bool, Meta(description="People must approve each revision. Default: false.")
    ] = False
    allowed_tiers: Annotated[
        Tiers,
        Meta(
            description='Tiers that are let in, without case; none given means all. Example: ["Official"].'
        ),
    ] = ()
    blocked_patterns: Annotated[
        tuple[Annotated[str, Meta(max_length=255)], ...],
        Meta(
            max_length=100,
            description='Globs on the name, or on name@version where they hold an "@", that are kept out. Example: "*-experimental".',
            extra_json_schema=SET,
        ),
    ] = ()
    security_scan_required: Annotated[
        bool, Meta(description="The vulnerability scan must pass. Default: false.")
    ] = False
    digest_required: Annotated[
        bool, Meta(description="Images must name a digest. Default: false.")
    ] = False
    auto_submit: Annotated[
        bool,
        Meta(
            description="Candidates get a review by themselves, not only when submitted. Default: true."
        ),
    ] = True
    max_open_reviews: Annotated[
        int,
        Meta(
            ge=1,
            le=500,
            description="Open reviews at a time, 1 to 500; further candidates wait. Default: 50.",
        ),
    ] = 50
    scan: Annotated[ScanPolicy, Meta(description="What the scan must say.")] = ScanPolicy()
    review: Annotated[ReviewPolicy, Meta(description="Who must approve, and in what time.")] = (
        ReviewPolicy()
    )


class PromotionCriteria(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a revision must show before it is promoted."""

    successful_deployments: Annotated[
        int,
        Meta(
            ge=0,
            le=10000,
            description="MCPServers of the revision that must have been ready at once, 0 to 10000. Default: 0.",
        ),
    ] = 0
    approved_by: Annotated[
        Teams,
        Meta(
            description='Teams of which one person each must approve. Example: ["security-team"].'
        ),
    ] = ()
    test_validation_passed: Annotated[
        bool, Meta(description="The functional test must pass. Default: false.")
    ] = False
    automatic: Annotated[
        bool,
        Meta(
            description="Promote by itself once all holds; false asks for a decision. Default: true."
        ),
    ] = True

    @property
    def any_given(self) -> bool:
        """Whether a criterion is set that a revision could miss."""
        return bool(self.successful_deployments or self.approved_by or self.test_validation_passed)
