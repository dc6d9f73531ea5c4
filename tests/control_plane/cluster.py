"""A cluster whose pods run, as somebody with `kubectl` sees it."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
from typing import NamedTuple

from tests.control_plane.kubelet import Kubelet
from tests.control_plane.plane import ControlPlane, Json


class Cluster(NamedTuple):
    """A control plane and its node."""

    plane: ControlPlane
    kubelet: Kubelet


class Place:
    """One namespace of a cluster; every command is given as cluster admin and must succeed."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        done = self.cluster.plane.kubectl("-n", self.namespace, *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, *items: Json) -> None:
        several = {"apiVersion": "v1", "kind": "List", "items": list(items)}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(several))

    def wait(self, what: str, *subject: str, seconds: int = 30) -> None:
        """`wait("condition=Ready", "pod/one")`."""
        self.kubectl("wait", f"--for={what}", f"--timeout={seconds}s", *subject)

    def get(self, kind: str, name: str) -> Json:
        found: Json = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def logs(self, pod: str, *, previous: bool = False) -> str:
        return self.cluster.kubelet.logs(self.namespace, pod, previous=previous)

    def url(self, service: str) -> str:
        """Where the first port of a Service is reached."""
        return self.cluster.plane.service_url(self.namespace, service)

    def ask(self, service: str, path: str = "/", **headers: str) -> str:
        """What a Service answers; an error keeps what was said, and no connection."""
        request = urllib.request.Request(self.url(service) + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                said = io.BytesIO(error.read())
            raise urllib.error.HTTPError(
                request.full_url, error.code, error.reason, error.headers, said
            ) from None
