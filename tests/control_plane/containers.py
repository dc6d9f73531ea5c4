"""One container of a pod over all its restarts: what Kubernetes calls its status, and the process behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.control_plane.images import Image
from tests.control_plane.plane import Json
from tests.control_plane.sandbox import CAPABILITIES, Identity, Sandbox

_MESSAGE = 2048


def moment() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Container:
    """What is known of a container now."""

    def __init__(self, spec: Json, logs: Path) -> None:
        self.spec = spec
        self.logs = logs
        self.sandbox: Sandbox | None = None
        self.restarts = 0
        self.exits = 0
        self.peak = 0
        """The most memory that its processes had together, as PSS in bytes."""
        self.environ: dict[str, str] | None = None
        self.ready = False
        self.started = False
        self._state: Json = {"waiting": {"reason": "ContainerCreating"}}
        self._last: Json = {}

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def exit_code(self) -> int | None:
        ended = self._state.get("terminated")
        return None if ended is None else int(ended["exitCode"])

    @property
    def log(self) -> Path:
        """What the present run writes to."""
        return self.logs / f"{self.exits}.log"

    def waits(self, reason: str, message: str = "") -> None:
        if "terminated" in self._state:
            self._last = self._state
        self._state = {"waiting": {"reason": reason, "message": message}}
        self.ready = self.started = False

    def waits_for_image(self, image: str) -> None:
        """The first failure is told as such, every later one as waiting for the next try."""
        if "ImagePull" in self._state.get("waiting", {}).get("reason", ""):
            self.waits("ImagePullBackOff", f'Back-off pulling image "{image}"')
        else:
            self.waits("ErrImagePull", f'failed to pull and unpack image "{image}": not found')

    def runs(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.restarts = self.exits
        if "terminated" in self._state:
            self._last = self._state
        self._state = {"running": {"startedAt": moment()}}
        self.ready = self.started = False

    def ended(self, code: int) -> None:
        begun = self._state.get("running", {}).get("startedAt", moment())
        self._state = {
            "terminated": {
                "exitCode": code,
                "reason": "Completed" if code == 0 else "Error",
                "startedAt": begun,
                "finishedAt": moment(),
                "message": self._message(code),
            }
        }
        self.sandbox = None
        self.exits += 1
        self.ready = self.started = False

    def status(self) -> Json:
        return {
            "name": self.name,
            "image": self.spec["image"],
            "imageID": f"test://{self.spec['image']}" if "waiting" not in self._state else "",
            "restartCount": self.restarts,
            "ready": self.ready,
            "started": self.started,
            "state": self._state,
            "lastState": self._last,
        }

    def _message(self, code: int) -> str:
        """The end of the log, for containers that want it in their status."""
        if code == 0 or self.spec.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            return ""
        return self.log.read_bytes()[-_MESSAGE:].decode(errors="replace")


def identity_of(container: Json, pod: Json, image: Image) -> Identity:
    """The container's own security context wins over the pod's, and that over the image's user."""
    context = {**pod["spec"].get("securityContext", {}), **container.get("securityContext", {})}
    dropped = context.get("capabilities", {}).get("drop", ())
    added = {name.lower() for name in context.get("capabilities", {}).get("add", ())}
    kept = frozenset() if "ALL" in dropped else CAPABILITIES - {name.lower() for name in dropped}
    group = context.get("fsGroup")
    groups = {*context.get("supplementalGroups", ()), *(() if group is None else (group,))}
    user = context.get("runAsUser", image.user)
    return Identity(
        user,
        context.get("runAsGroup", user if "runAsUser" not in context else 0),
        tuple(sorted(groups)),
        context.get("allowPrivilegeEscalation", True),
        kept | added,
    )


def must_not_be_root(container: Json, pod: Json) -> bool:
    context = {**pod["spec"].get("securityContext", {}), **container.get("securityContext", {})}
    return bool(context.get("runAsNonRoot"))
