from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from thv.domain.conditions import Condition
from thv.domain.errors import InvalidError
from thv.domain.registry import OnUpdate, SourceType, TrustLevel, dump_status, load_registry
from thv.domain.registry_status import (
    ApiPhase,
    ApiStatus,
    CatalogState,
    Phase,
    RegistryStatus,
    SyncPhase,
    SyncStatus,
    Trigger,
)

MANIFESTS = Path(__file__).parents[2] / "examples" / "spec"
MINIMAL = {"source": {"type": "url", "url": {"url": "https://example.com"}}}


def _object(spec: dict[str, Any] | None = None, **rest: Any) -> dict[str, Any]:
    return {"metadata": {"name": "corp", "namespace": "team"}, "spec": spec or MINIMAL, **rest}


@pytest.mark.requirement("REG-01")
@pytest.mark.parametrize("path", sorted(MANIFESTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_manifest_of_the_documents_is_read(path: Path) -> None:
    registry = load_registry(yaml.safe_load(path.read_text()))
    assert registry.name
    assert registry.spec.source.type in SourceType


def test_full_manifest_is_read_field_by_field() -> None:
    registry = load_registry(yaml.safe_load((MANIFESTS / "registry-full.yaml").read_text()))
    spec = registry.spec
    assert (registry.namespace, registry.name) == ("toolhive-system", "corp-catalog")
    assert spec.trust_level is TrustLevel.TRUSTED
    assert spec.source.git is not None
    assert spec.source.git.branch == "main"
    assert spec.source.git.auth_secret is not None
    assert spec.source.git.auth_secret.password_key == "password"
    assert spec.sync_policy.on_update is OnUpdate.UPDATE
    assert spec.sync_policy.retry.max_retries == 3
    assert spec.filter is not None
    assert spec.filter.include is not None
    assert spec.filter.include.transports == ("stdio", "streamable-http")
    assert spec.api.resources is not None
    assert spec.api.resources.limits is not None
    assert spec.api.resources.limits.memory == "128Mi"
    assert spec.validation_policy is not None
    assert [team.name for team in spec.validation_policy.review.teams] == [
        "security-team",
        "business-team",
    ]
    assert spec.validation_policy.scan.ignored_findings[0].id == "CVE-2026-0001"
    assert spec.promotion_criteria is not None
    assert spec.promotion_criteria.approved_by == ("security-team", "platform-team")
    assert registry.governed


@pytest.mark.requirement("REG-07")
def test_what_is_not_said_has_the_default() -> None:
    registry = load_registry(_object())
    spec = registry.spec
    assert (registry.uid, registry.generation, registry.deleting) == ("", 0, False)
    assert spec.trust_level is TrustLevel.RAW
    assert spec.format is None
    assert (spec.sync_policy.enabled, spec.sync_policy.interval, spec.sync_policy.timeout) == (
        True,
        "1h",
        "30s",
    )
    assert (spec.sync_policy.retry.max_retries, spec.sync_policy.retry.backoff_interval) == (
        3,
        "30s",
    )
    assert (spec.api.enabled, spec.api.replicas, spec.api.mode) == (True, 1, None)
    assert not registry.governed


def test_metadata_comes_along() -> None:
    metadata = {
        "name": "corp",
        "namespace": "team",
        "uid": "u",
        "generation": 7,
        "resourceVersion": "12",
        "deletionTimestamp": "2026-11-20T10:00:00Z",
        "labels": {"a": "b"},
        "annotations": {"c": "d"},
    }
    registry = load_registry({"metadata": metadata, "spec": MINIMAL})
    assert (registry.uid, registry.generation, registry.resource_version) == ("u", 7, "12")
    assert registry.deleting
    assert (registry.labels, registry.annotations) == ({"a": "b"}, {"c": "d"})


@pytest.mark.parametrize(
    ("spec", "governed"),
    [
        ({}, False),
        ({"validationPolicy": {}}, False),
        ({"validationPolicy": {"allowedTiers": ["Official"]}}, False),
        ({"validationPolicy": {"approvalRequired": True}}, True),
        ({"validationPolicy": {"securityScanRequired": True}}, True),
        ({"promotionCriteria": {}}, False),
        ({"promotionCriteria": {"automatic": False}}, False),
        ({"promotionCriteria": {"successfulDeployments": 1}}, True),
        ({"promotionCriteria": {"approvedBy": ["security"]}}, True),
        ({"promotionCriteria": {"testValidationPassed": True}}, True),
    ],
)
def test_a_registry_is_governed_by_a_gate(spec: dict[str, Any], governed: bool) -> None:
    assert load_registry(_object({**MINIMAL, **spec})).governed is governed


def test_unknown_status_fields_are_ignored() -> None:
    status = {"phase": "Ready", "later": 1, "syncStatus": {"attemptCount": 2, "later": 1}}
    loaded = load_registry(_object(status=status)).status
    assert loaded.phase is Phase.READY
    assert loaded.sync_status.attempt_count == 2


@pytest.mark.parametrize(
    ("obj", "field"),
    [
        (_object({"source": {"type": "grpc"}}), "spec.source.type"),
        (_object({"source": {"type": "url", "url": {"url": 5}}}), "spec.source.url.url"),
        ({"metadata": {"name": "corp"}}, "spec"),
        (_object(status={"serverCount": "many"}), "status.serverCount"),
    ],
)
def test_what_cannot_be_read_is_refused_by_field(obj: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidError) as error:
        load_registry(obj)
    assert error.value.errors[0].path == field
    assert 'mcpregistry "corp"' in error.value.message


@pytest.mark.requirement("REG-10")
def test_status_is_written_without_what_is_absent() -> None:
    status = RegistryStatus(
        observed_generation=3,
        phase=Phase.READY,
        conditions=(
            Condition(
                type="Ready",
                status="True",
                reason="Succeeded",
                last_transition_time="2026-11-20T10:00:00Z",
            ),
        ),
        server_count=12,
        sync_status=SyncStatus(
            phase=SyncPhase.COMPLETE, trigger=Trigger.MANUAL, resolved_url="https://example.com"
        ),
        api_status=ApiStatus(phase=ApiPhase.READY, ready_replicas=0),
        catalog_state=CatalogState(approved_servers=1),
    )
    assert dump_status(status) == {
        "observedGeneration": 3,
        "phase": "Ready",
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Succeeded",
                "lastTransitionTime": "2026-11-20T10:00:00Z",
                "observedGeneration": 0,
            }
        ],
        "serverCount": 12,
        "versionCount": 0,
        "serversTruncated": False,
        "syncStatus": {
            "phase": "Complete",
            "trigger": "Manual",
            "resolvedURL": "https://example.com",
            "attemptCount": 0,
            "durationMilliseconds": 0,
        },
        "apiStatus": {"phase": "Ready", "readyReplicas": 0},
        "catalogState": {
            "approvedServers": 1,
            "pendingPromotion": 0,
            "rejectedServers": 0,
            "queued": 0,
        },
    }
    assert load_registry(_object(status=dump_status(status))).status == status


def test_status_that_says_nothing_is_empty_but_for_counts() -> None:
    assert load_registry(_object(status=dump_status(RegistryStatus()))).status == RegistryStatus()


def test_approval_item_of_the_documents_is_read() -> None:
    item = {
        "serverName": "postgres-server",
        "version": "1.3.0",
        "currentStatus": "under-review",
        "submittedAt": "2024-01-15T10:00:00Z",
        "assignedReviewers": ["security-team", "platform-team"],
        "approvalProgress": {"securityTeam": "approved", "platformTeam": "pending"},
        "automatedChecks": {
            "securityScan": "passed",
            "performanceTest": "passed",
            "deploymentCount": 15,
        },
        "reviewComments": [
            {
                "author": "alice@security",
                "timestamp": "2024-01-16T09:00:00Z",
                "comment": "Security review completed - approved",
            }
        ],
        "externalTickets": [{"system": "JIRA", "ticketId": "SEC-12345", "status": "Approved"}],
    }
    status = load_registry(_object(status={"serverApprovalStatus": [item]})).status
    assert dump_status(status)["serverApprovalStatus"] == [item]
