"""What Kubernetes is told of a pod, from what its containers do."""

from __future__ import annotations

from collections.abc import Sequence

from tests.control_plane.containers import Container, moment
from tests.control_plane.plane import Json

HOST = "127.0.0.1"


class PodStatus:
    """Remembers since when each condition is as it is."""

    def __init__(
        self, pod: Json, address: str, init: Sequence[Container], containers: Sequence[Container]
    ) -> None:
        self._policy = pod["spec"].get("restartPolicy", "Always")
        self._address = address
        self._init = init
        self._containers = containers
        self._begun = moment()
        self._since: dict[str, tuple[bool, str]] = {}

    def restarts(self, code: int, *, init: bool = False) -> bool:
        """Whether a container that ended so is started again."""
        match self._policy:
            case "Never":
                return False
            case "OnFailure":
                return code != 0
            case _:
                return code != 0 or not init

    def render(self) -> Json:
        return {
            "phase": self.phase(),
            "podIP": self._address,
            "podIPs": [{"ip": self._address}],
            "hostIP": HOST,
            "hostIPs": [{"ip": HOST}],
            "startTime": self._begun,
            "conditions": self._conditions(),
            "initContainerStatuses": [each.status() for each in self._init],
            "containerStatuses": [each.status() for each in self._containers],
        }

    def phase(self) -> str:
        if self._has_failed_before():
            return "Failed"
        codes = [each.exit_code for each in self._containers]
        if all(code is not None and not self.restarts(code) for code in codes):
            return "Failed" if any(codes) else "Succeeded"
        begun = any(each.sandbox or each.exits for each in self._containers)
        return "Running" if begun else "Pending"

    def _has_failed_before(self) -> bool:
        codes = [each.exit_code or 0 for each in self._init]
        return any(code != 0 and not self.restarts(code, init=True) for code in codes)

    def _conditions(self) -> list[Json]:
        phase = self.phase()
        ready = phase == "Running" and all(each.ready for each in self._containers)
        why = _not_ready(phase, self._containers) if not ready else {}
        return [
            self._condition("PodScheduled", True),
            self._condition("Initialized", all(each.exit_code == 0 for each in self._init)),
            {**self._condition("ContainersReady", ready), **why},
            {**self._condition("Ready", ready), **why},
        ]

    def _condition(self, kind: str, good: bool) -> Json:
        before = self._since.get(kind)
        if before is None or before[0] != good:
            self._since[kind] = before = (good, moment())
        return {"type": kind, "status": str(good), "lastTransitionTime": before[1]}


def is_ready(status: Json) -> bool:
    conditions = status.get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _not_ready(phase: str, containers: Sequence[Container]) -> Json:
    if phase == "Succeeded":
        return {"reason": "PodCompleted"}
    names = " ".join(each.name for each in containers if not each.ready)
    return {
        "reason": "ContainersNotReady",
        "message": f"containers with unready status: [{names}]",
    }
