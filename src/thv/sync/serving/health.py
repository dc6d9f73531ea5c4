"""What the pods of an API are up to, in a word for programs and a sentence for people; pure.

In the flow: a Deployment that has ready pods answers. For one that has none, its conditions and its pods tell why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.errors import ThvError
from thv.domain.reasons import ReasonWord
from thv.domain.registry_status import ApiPhase
from thv.domain.resources import name_of, namespace_of

AVAILABLE: Final = "Available"
DISABLED: Final = "Disabled"
DEPLOYING: Final = "Deploying"
UNAVAILABLE: Final = "APIDeploymentUnavailable"
QUOTA: Final = "QuotaExceeded"

_PULLING = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
    }
)
_BEGINNING = frozenset({"ContainerCreating", "PodInitializing"})
_REFUSED = re.compile(r"^.*?\bis forbidden: ", re.DOTALL)
_EXCEEDED = re.compile(r"exceeded quota:.*", re.DOTALL)
_NO_MEMORY = "needs more memory than its limit (OOMKilled); raise spec.api.resources.limits.memory"
LIMIT = 200


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one Deployment."""

    phase: ApiPhase
    reason: ReasonWord
    """Of the condition APIReady."""
    ready: int = 0
    """Ready pods, not more than are wanted."""
    message: str = ""

    @property
    def answers(self) -> bool:
        """Whether a pod is ready."""
        return self.phase is ApiPhase.READY

    @property
    def is_well(self) -> bool:
        """Whether every pod is ready, so that no pod need be asked."""
        return self.answers and not self.message


def ready_pods(deployment: JsonObject) -> tuple[int, int]:
    """Ready and wanted pods."""
    wanted = int((deployment.get("spec") or {}).get("replicas") or 0)
    ready = int((deployment.get("status") or {}).get("readyReplicas") or 0)
    return min(ready, wanted), wanted


def health_of(
    deployment: JsonObject, pods: Sequence[JsonObject], *, was_ready: bool, has_content: bool
) -> Health:
    """The state, from the Deployment and, where not all of its pods are ready, those pods.

    `was_ready` tells pods that are gone from pods that have yet to come; without content none can be ready.
    """
    ready, wanted = ready_pods(deployment)
    refused = _condition(deployment, "ReplicaFailure", "True")
    trouble = _refusal(refused) if refused else next(_troubles(deployment, pods), "")
    if ready:
        return Health(
            phase=ApiPhase.READY,
            reason=AVAILABLE,
            ready=ready,
            message=_some(ready, wanted, trouble),
        )
    if refused:
        return Health(phase=ApiPhase.ERROR, reason=_reason(refused), message=trouble)
    if trouble:
        return Health(phase=ApiPhase.UNHEALTHY, reason=UNAVAILABLE, message=trouble)
    if not has_content:
        message = "pods become ready when there is something to serve"
        return Health(phase=ApiPhase.DEPLOYING, reason=DEPLOYING, message=message)
    awaited = _awaited(deployment, pods)
    if was_ready or _condition(deployment, "Progressing", "False"):
        late = "" if was_ready else ", and none has come for long"
        message = shortened(f"0 of {wanted} pods are ready{late}{awaited}")
        return Health(phase=ApiPhase.UNHEALTHY, reason=UNAVAILABLE, message=message)
    message = shortened(f"0 of {wanted} pods are ready{awaited}")
    return Health(phase=ApiPhase.DEPLOYING, reason=DEPLOYING, message=message)


def refused_health(error: ThvError) -> Health:
    """The state of an API of which an object could not be made."""
    reason: ReasonWord = QUOTA if "quota" in error.details else UNAVAILABLE
    return Health(phase=ApiPhase.ERROR, reason=reason, message=shortened(error.message))


def shortened(text: str) -> str:
    """On one line that the status can hold."""
    line = " ".join(text.split())
    return line if len(line) <= LIMIT else line[: LIMIT - 3] + "..."


def _some(ready: int, wanted: int, trouble: str) -> str:
    if ready >= wanted and not trouble:
        return ""
    return shortened(f"{ready} of {wanted} pods are ready" + (f": {trouble}" if trouble else ""))


def _reason(message: str) -> ReasonWord:
    return QUOTA if "exceeded quota" in message else UNAVAILABLE


def _refusal(message: str) -> str:
    """Without the name of the pod, which is another one each time."""
    exceeded = _EXCEEDED.search(message)
    return shortened(exceeded[0] if exceeded else "pods are refused: " + _REFUSED.sub("", message))


def _condition(obj: JsonObject, kind: str, status: str) -> str:
    """The message of the condition, or its reason; `""` unless it has this status."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    found: JsonObject = next(
        (c for c in conditions if c.get("type") == kind and c.get("status") == status), {}
    )
    return str(found.get("message") or found.get("reason") or "")


# Pods ------------------------------------------------------------------------------------------------------


def _troubles(deployment: JsonObject, pods: Iterable[JsonObject]) -> Iterator[str]:
    """What keeps pods from being ready, first things first."""
    for pod in pods:
        status = pod.get("status") or {}
        if status.get("phase") in {"Failed", "Succeeded"}:
            continue  # evicted or done with; another one took its place
        unscheduled = _condition(pod, "PodScheduled", "False")
        if unscheduled:
            yield shortened(f"a pod finds no place: {unscheduled}")
        for container in status.get("containerStatuses") or []:
            trouble = _container_trouble(container, deployment)
            if trouble:
                yield shortened(trouble)


def _container_trouble(status: JsonObject, deployment: JsonObject) -> str:
    """`""` for a container that runs, or is only beginning to."""
    waiting = (status.get("state") or {}).get("waiting") or {}
    reason = str(waiting.get("reason") or "")
    if reason in _PULLING:
        return f'image "{status.get("image")}" cannot be pulled ({reason})'
    ended = _ended(status)
    if ended and not status.get("ready"):
        if ended.get("reason") == "OOMKilled":
            return f"the container {_NO_MEMORY}"
        return f"the container ends with code {ended.get('exitCode')}; see: {_logs(deployment)}"
    if reason and reason not in _BEGINNING:
        return f"{reason}: {waiting.get('message') or 'no message'}"
    return ""


def _awaited(deployment: JsonObject, pods: Iterable[JsonObject]) -> str:
    """What containers that are being made for long are likely to wait for, as far as we asked for it."""
    reasons = {
        ((each.get("state") or {}).get("waiting") or {}).get("reason")
        for pod in pods
        for each in (pod.get("status") or {}).get("containerStatuses") or []
    }
    if not reasons & _BEGINNING:
        return ""
    volumes = deployment["spec"].get("template", {}).get("spec", {}).get("volumes") or []
    names = [each["secret"]["secretName"] for each in volumes if "secret" in each]
    return "".join(f'; a pod begins when its namespace has the Secret "{name}"' for name in names)


def _ended(status: JsonObject) -> dict[str, Any]:
    """How the container ended last, `{}` when it never did."""
    for state in (status.get("state") or {}, status.get("lastState") or {}):
        ended = state.get("terminated")
        if ended:
            return dict(ended)
    return {}


def _logs(deployment: JsonObject) -> str:
    return f"kubectl logs -n {namespace_of(deployment)} deployment/{name_of(deployment)}"
