"""What the status says of pods, in the words that people read."""

from __future__ import annotations

from typing import Any

import pytest

from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.registry_status import ApiPhase
from thv.sync.serving.health import Health, health_of, refused_health


def deployment(ready: int = 0, wanted: int = 1, **conditions: tuple[str, str]) -> JsonObject:
    """Conditions as type=(status, message)."""
    return {
        "metadata": {"namespace": "team", "name": "corp-api"},
        "spec": {"replicas": wanted},
        "status": {
            "readyReplicas": ready,
            "conditions": [
                {"type": kind, "status": status, "message": message, "reason": "R"}
                for kind, (status, message) in conditions.items()
            ],
        },
    }


def pod(phase: str = "Pending", **container: Any) -> JsonObject:
    return {"status": {"phase": phase, "containerStatuses": [{"name": "api", **container}]}}


def waiting(reason: str, message: str = "") -> JsonObject:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def ended(code: int, reason: str = "Error") -> JsonObject:
    return {"lastState": {"terminated": {"exitCode": code, "reason": reason}}, "ready": False}


UNSCHEDULED = {
    "status": {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/3 nodes are available:\n 3 Insufficient memory.",
            }
        ],
    }
}
QUOTA = 'pods "corp-api-6d-x" is forbidden: exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4'
SECURITY = 'pods "corp-api-6d-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'


def judge(
    found: JsonObject, *pods: JsonObject, was_ready: bool = False, content: bool = True
) -> Health:
    return health_of(found, pods, was_ready=was_ready, has_content=content)


def test_ready_pods_answer() -> None:
    assert judge(deployment(ready=2, wanted=2)) == Health(
        phase=ApiPhase.READY, reason="Available", ready=2
    )


@pytest.mark.parametrize("was_ready", [False, True])
def test_a_container_that_is_being_made_may_wait_for_a_secret(was_ready: bool) -> None:
    found = deployment()
    beginning = pod(**waiting("ContainerCreating"))
    assert judge(found, beginning, was_ready=was_ready).message == "0 of 1 pods are ready"
    volumes = [{"name": "data", "emptyDir": {}}, {"name": "tls", "secret": {"secretName": "cert"}}]
    found["spec"]["template"] = {"spec": {"volumes": volumes}}
    assert judge(found, pod(state={"running": {}})).message == "0 of 1 pods are ready"
    assert judge(found, beginning, was_ready=was_ready).message == (
        '0 of 1 pods are ready; a pod begins when its namespace has the Secret "cert"'
    )


def test_pods_beyond_those_wanted_are_not_counted() -> None:
    assert judge(deployment(ready=3, wanted=2)).ready == 2


def test_an_api_with_one_ready_pod_answers_and_says_what_is_wrong_with_the_other() -> None:
    health = judge(deployment(ready=1, wanted=2), UNSCHEDULED)
    assert health.answers
    assert not health.is_well
    assert health.message == (
        "1 of 2 pods are ready: a pod finds no place: 0/3 nodes are available: 3 Insufficient memory."
    )


@pytest.mark.parametrize(
    ("found", "pods", "phase", "reason", "message"),
    [
        (deployment(), (), "Deploying", "Deploying", "0 of 1 pods are ready"),
        (
            deployment(ReplicaFailure=("True", QUOTA)),
            (),
            "Error",
            "QuotaExceeded",
            "exceeded quota: team, requested: pods=1, used: pods=4, limited: pods=4",
        ),
        (
            deployment(ReplicaFailure=("True", SECURITY)),
            (),
            "Error",
            "APIDeploymentUnavailable",
            'pods are refused: violates PodSecurity "restricted:latest": runAsNonRoot != true',
        ),
        (
            deployment(),
            (pod(image="ghcr.io/none:1", **waiting("ImagePullBackOff", "Back-off pulling")),),
            "Unhealthy",
            "APIDeploymentUnavailable",
            'image "ghcr.io/none:1" cannot be pulled (ImagePullBackOff)',
        ),
        (
            deployment(),
            (pod("Running", **waiting("CrashLoopBackOff"), **ended(3)),),
            "Unhealthy",
            "APIDeploymentUnavailable",
            "the container ends with code 3; see: kubectl logs -n team deployment/corp-api",
        ),
        (
            deployment(),
            (pod("Running", state={"running": {}}, **ended(137, "OOMKilled")),),
            "Unhealthy",
            "APIDeploymentUnavailable",
            "the container needs more memory than its limit (OOMKilled); raise spec.api.resources.limits.memory",
        ),
        (
            deployment(),
            (pod(**waiting("CreateContainerConfigError", 'secret "x" not found')),),
            "Unhealthy",
            "APIDeploymentUnavailable",
            'CreateContainerConfigError: secret "x" not found',
        ),
        (
            deployment(),
            (UNSCHEDULED,),
            "Unhealthy",
            "APIDeploymentUnavailable",
            "a pod finds no place: 0/3 nodes are available: 3 Insufficient memory.",
        ),
        (
            deployment(),
            (pod(**waiting("ContainerCreating")), pod("Failed", **ended(1))),
            "Deploying",
            "Deploying",
            "0 of 1 pods are ready",
        ),
        (
            deployment(Progressing=("False", "ReplicaSet has timed out progressing.")),
            (),
            "Unhealthy",
            "APIDeploymentUnavailable",
            "0 of 1 pods are ready, and none has come for long",
        ),
    ],
)
def test_pods_that_are_not_ready_are_told_with_the_cause(
    found: JsonObject, pods: tuple[JsonObject, ...], phase: str, reason: str, message: str
) -> None:
    health = judge(found, *pods)
    assert (health.phase.value, health.reason, health.message) == (phase, reason, message)
    assert len(message) <= 200


def test_pods_without_content_are_only_waiting() -> None:
    late = deployment(Progressing=("False", "timed out"))
    health = judge(late, content=False)
    assert (health.phase, health.reason) == (ApiPhase.DEPLOYING, "Deploying")
    assert health.message == "pods become ready when there is something to serve"


def test_pods_that_were_ready_once_are_unhealthy_when_all_are_gone() -> None:
    assert judge(deployment(), was_ready=True).phase is ApiPhase.UNHEALTHY


def test_a_message_fits_the_status() -> None:
    long = deployment(ReplicaFailure=("True", "no " * 200))
    assert len(judge(long).message) == 200


def test_a_quota_that_refuses_an_object_is_told_as_one() -> None:
    error = ThvError(Code.STORE_FULL, "service exceeds the ResourceQuota", details={"quota": "q"})
    assert refused_health(error) == Health(
        phase=ApiPhase.ERROR, reason="QuotaExceeded", message="service exceeds the ResourceQuota"
    )
    assert refused_health(ThvError(Code.FORBIDDEN, "no")).reason == "APIDeploymentUnavailable"
