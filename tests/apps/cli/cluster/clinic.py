"""A cluster that is made ill on purpose, and the program that finds out.

No pod runs here: what a kubelet would say of the operator's pod is written by the test.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.control_plane.plane import ControlPlane, Json
from thv.domain.roles import OPERATOR

ROOT = Path(__file__).resolve().parents[4]
KINDS = ROOT / "charts" / "toolhive-registry-crds" / "crds"
SYSTEM = "toolhive-system"
ACCOUNT = f"system:serviceaccount:{SYSTEM}:{OPERATOR}"
POD = f"app.kubernetes.io/name={OPERATOR}"


@dataclass(frozen=True)
class Report:
    """What one run of the installed program said."""

    code: int
    out: str
    err: str

    def line(self, check: str, words: str = "") -> str:
        """The one line of a check that has these words."""
        lines = [
            line
            for line in self.out.splitlines()
            if re.match(rf"\S+ {check} ", line) and words in line
        ]
        assert len(lines) == 1, f"{check} {words!r}: {lines}\n{self.out}{self.err}"
        return lines[0]

    def require(self, check: str, words: str, fix: str) -> None:
        """A line that failed, says this, and ends with that command."""
        line = self.line(check, words)
        assert line.startswith("✗"), line
        assert "Try: " in line, line
        assert fix in line.partition("Try: ")[2], line


@dataclass
class Clinic:
    """The cluster, and a home folder of whoever looks at it."""

    plane: ControlPlane
    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    def doctor(self, *words: str, kubeconfig: Path | None = None, **environ: str) -> Report:
        """Runs the console script against this cluster."""
        around = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONIOENCODING": "utf-8",
            "THV_BACKEND": "kubernetes",
            "KUBECONFIG": str(kubeconfig or self.plane.kubeconfig),
        }
        done = subprocess.run(
            [str(Path(sys.executable).parent / "thv"), "doctor", "--timeout", "100s", *words],
            env={**around, **environ},
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        return Report(done.returncode, done.stdout, done.stderr)

    def mend(self, line: str, more: str = "") -> None:
        """Runs the command that a line ends with, as its administrator pastes it."""
        command = line.partition("Try: ")[2].partition("   (")[0] + more
        folders = (Path(sys.executable).parent, self.plane.binaries.folder, os.environ["PATH"])
        done = subprocess.run(
            ["sh", "-c", command],
            env={
                "PATH": os.pathsep.join(map(str, folders)),
                "HOME": str(self.home),
                "KUBECONFIG": str(self.plane.kubeconfig),
                "THV_BACKEND": "kubernetes",
            },
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    def change(self, kind: str, name: str, change: Callable[[Json], None]) -> None:
        """An object that `change` edits in place, for good."""
        obj = self.get(kind, name)
        change(obj)
        self.kubectl("replace", "-f", "-", stdin=json.dumps(obj))

    def kubectl(self, *words: str, stdin: str = "") -> str:
        done = self.plane.kubectl(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *words: str) -> Json:
        found: Json = json.loads(self.kubectl("get", *words, "-o", "json"))
        return found

    def apply(self, *objects: Json) -> None:
        several = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl(
            *("apply", "--server-side", "--force-conflicts", "-f", "-"), stdin=json.dumps(several)
        )

    @contextmanager
    def having(self, *objects: Json) -> Iterator[None]:
        """These objects, for a while."""
        self.apply(*objects)
        yield
        several = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("delete", "--wait=true", "-f", "-", stdin=json.dumps(several))

    @contextmanager
    def changed(self, kind: str, name: str, change: Any, *more: str) -> Iterator[None]:
        """An object that `change` edits in place, for a while."""
        before, ill = self.get(kind, name, *more), self.get(kind, name, *more)
        change(ill)
        self.kubectl("replace", *more, "-f", "-", stdin=json.dumps(ill))
        yield
        before["metadata"].pop("resourceVersion")
        self.kubectl("replace", *more, "-f", "-", stdin=json.dumps(before))

    @contextmanager
    def without(self, kind: str, name: str, *more: str) -> Iterator[None]:
        """An object that is gone, for a while."""
        kept = self.get(kind, name, *more)
        for member in ("uid", "resourceVersion", "creationTimestamp"):
            kept["metadata"].pop(member)
        self.kubectl("delete", kind, name, *more)
        yield
        self.apply(kept)

    # ------------------------------------------------------------ the operator

    def install(self) -> None:
        """Everything that is shipped, with a pod that is said to run and a lease that it holds."""
        self.kubectl("apply", "--server-side", "-f", str(KINDS))
        self.plane.await_kinds("-f", str(KINDS))
        self.kubectl("apply", "--server-side", "-f", str(ROOT / "deploy" / "install.yaml"))
        self.kubectl(*("-n", SYSTEM, "wait", "--for=create", "pods", "-l", POD, "--timeout=60s"))
        self.pod_is(ready=True)
        self.lease_of("operator-1")

    def pod_is(self, *, ready: bool, waiting: str = "") -> None:
        """What a kubelet would say of the operator's pod."""
        pod = self.get("pods", "-n", SYSTEM, "-l", POD)["items"][0]["metadata"]["name"]
        now = _now()
        state: Json = (
            {"waiting": {"reason": waiting}} if waiting else {"running": {"startedAt": now}}
        )
        container = {
            "name": "operator",
            "image": "toolhive-registry:x",
            "imageID": "",
            "ready": ready,
            "restartCount": 0,
            "state": state,
        }
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": now}
        status = {
            "phase": "Pending" if waiting else "Running",
            "conditions": [condition],
            "containerStatuses": [container],
        }
        self.patch_status("pod", pod, status, namespace=SYSTEM)
        available = "True" if ready else "False"
        self.kubectl(
            *("-n", SYSTEM, "wait", f"--for=condition=Available={available}", "--timeout=60s"),
            f"deployment/{OPERATOR}",
        )

    def lease_of(self, holder: str, renewed: str = "2126-01-01T00:00:00.000000Z") -> None:
        """Who leads since when; one of the far future does not grow old while tests run."""
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 10, "renewTime": renewed}
        self.apply(_object("coordination.k8s.io/v1", "Lease", OPERATOR, SYSTEM, spec=spec))

    # ------------------------------------------------------------ registries

    @contextmanager
    def registry(self, name: str, source: Json, **conditions: tuple[str, str]) -> Iterator[None]:
        """A registry whose operator says this: type to reason and message; all are False."""
        spec = {"source": source}
        said = [
            {
                "type": kind,
                "status": "False",
                "reason": reason,
                "message": message,
                "lastTransitionTime": _now(),
            }
            for kind, (reason, message) in conditions.items()
        ]
        obj = _object("toolhive.stacklok.io/v1alpha1", "MCPRegistry", name, "default", spec=spec)
        with self.having(obj):
            status = {"conditions": said}
            self.patch_status("mcpregistry", name, status, f"--as={ACCOUNT}", namespace="default")
            yield

    def patch_status(self, kind: str, name: str, status: Json, *more: str, namespace: str) -> None:
        patch = json.dumps({"status": status})
        self.kubectl(
            *("-n", namespace, "patch", kind, name, "--subresource=status", "--type=merge"),
            *("-p", patch, *more),
        )

    # ------------------------------------------------------------ kubeconfigs

    def kubeconfig(
        self, name: str, *, cluster: Json | None = None, user: Json | None = None
    ) -> Path:
        """That of the administrator with other words for the cluster, or another user."""
        document = json.loads(self.plane.kubeconfig.read_text())
        document["clusters"][0]["cluster"] |= cluster or {}
        if user is not None:
            document["users"][0]["user"] = user
        path = self.home / f"{name}.kubeconfig"
        path.write_text(json.dumps(document))
        return path


def expired_token() -> str:
    """A token that says of itself that it is over."""
    parts = ({"alg": "none"}, {"sub": "jane", "exp": 1_700_000_000})
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts)
    return f"{head.rstrip('=')}.{body.rstrip('=')}.c2ln"


def quota(name: str, namespace: str, **hard: str) -> Json:
    return _object("v1", "ResourceQuota", name, namespace, spec={"hard": hard})


def limit_range(name: str, namespace: str, **most: str) -> Json:
    limits = [{"type": "Container", "max": most}]
    return _object("v1", "LimitRange", name, namespace, spec={"limits": limits})


def closed_network(namespace: str) -> Json:
    spec = {"podSelector": {}, "policyTypes": ["Egress"]}
    return _object("networking.k8s.io/v1", "NetworkPolicy", "nothing", namespace, spec=spec)


def dns_service() -> Json:
    """Of which no pod is behind."""
    spec = {"selector": {"k8s-app": "kube-dns"}, "ports": [{"port": 53, "protocol": "UDP"}]}
    return _object("v1", "Service", "kube-dns", "kube-system", spec=spec)


def foreign_kind(version: str) -> Json:
    """A kind of ToolHive in a version that nobody reads."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True}
    spec = {
        "group": "toolhive.stacklok.dev",
        "names": {"kind": "MCPServer", "plural": "mcpservers"},
        "scope": "Namespaced",
        "versions": [{**served, "schema": {"openAPIV3Schema": schema}}],
    }
    name = "mcpservers.toolhive.stacklok.dev"
    metadata = {"name": name}
    kind = "CustomResourceDefinition"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }


def _object(api_version: str, kind: str, name: str, namespace: str, **more: Any) -> Json:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
