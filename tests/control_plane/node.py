"""What the pods of a node share: the API, images, Services, and how patient the node is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.control_plane.client import ApiError, Client
from tests.control_plane.environment import Data, data_of
from tests.control_plane.images import Image
from tests.control_plane.plane import Json


class Pace(NamedTuple):
    """In seconds. A real node starts to back off at 10 and ends at 300, and asks no probe more often than told."""

    backoff: float = 1.0
    most_backoff: float = 30.0
    eager: bool = True
    """Ask startup and readiness probes ten times a second until they first succeed."""
    refresh: float = 5.0
    """How often ConfigMaps and Secrets of volumes are read again; about a minute on a real node."""


PACE = Pace()


class Node(NamedTuple):
    """Handed to every pod."""

    client: Client
    folder: Path
    etc: Path
    hosts: Path
    """The file that every container sees as /etc/hosts."""
    images: Callable[[], Sequence[Image]]
    services: Callable[[str], list[Json]]
    """Those of a namespace, and the one of the API server."""
    announce: Callable[[str, str, bool], Awaitable[None]]
    """Whether the pod of a uid is ready at its address, before Kubernetes hears it: who waits for that finds it reachable."""
    pace: Pace

    async def read(self, namespace: str, kind: str, name: str) -> Data | None:
        """The content of a ConfigMap or a Secret."""
        path = f"/api/v1/namespaces/{namespace}/{kind}/{name}"
        try:
            return data_of(await self.client.request("GET", path))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def token(self, pod: Json, audience: str, seconds: int) -> str:
        """A token of the pod's account that ends with the pod."""
        meta, account = pod["metadata"], pod["spec"].get("serviceAccountName", "default")
        bound = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
        spec = {
            "audiences": [audience] if audience else [],
            "expirationSeconds": seconds,
            "boundObjectRef": bound,
        }
        path = f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{account}/token"
        made = await self.client.request("POST", path, {"spec": spec})
        return str(made["status"]["token"])
