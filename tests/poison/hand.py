"""The hand of those who write into a namespace: bodies as they are, many at once."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY, Kind

WRITERS = 8
MERGE = "application/merge-patch+json"
JSON = "application/json"

T = TypeVar("T")
R = TypeVar("R")


class Said(NamedTuple):
    """What the API server answers."""

    status: int
    body: bytes

    @property
    def accepted(self) -> bool:
        return self.status < 300

    @property
    def object(self) -> JsonObject:
        found: JsonObject = msgspec.json.decode(self.body)
        return found


class Hand:
    """Somebody with all rights in one namespace, whose bodies nobody checks before they leave."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        """`kubeconfig` is one of a control plane for tests, with a client certificate."""
        given = msgspec.json.decode(kubeconfig.read_bytes())
        cluster, user = given["clusters"][0]["cluster"], given["users"][0]["user"]
        self.place = str(cluster["server"]).removeprefix("https://")
        self.tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self.tls.load_cert_chain(user["client-certificate"], user["client-key"])
        self.namespace = namespace
        self._local = threading.local()
        self._open: list[http.client.HTTPSConnection] = []
        self._pool = ThreadPoolExecutor(WRITERS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        for connection in self._open:
            connection.close()

    def at_once(self, act: Callable[[T], R], things: Iterable[T]) -> list[R]:
        """The same for many things, some at a time."""
        return list(self._pool.map(act, things))

    def path(self, kind: Kind, name: str = "", subresource: str = "") -> str:
        group = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
        parts = (group, "namespaces", self.namespace, kind.plural, name, subresource)
        return "/".join(part for part in parts if part)

    def send(self, method: str, path: str, body: bytes | None = None, kind: str = JSON) -> Said:
        """One request; begun anew when the connection was closed meanwhile."""
        for again in (True, False):
            connection = self._connection()
            try:
                connection.request(method, path, body, {"Content-Type": kind})
                answer = connection.getresponse()
                return Said(answer.status, answer.read())
            except (http.client.HTTPException, OSError):
                connection.close()
                del self._local.connection
                if not again:
                    raise
        raise AssertionError

    def create(self, kind: Kind, body: bytes) -> Said:
        """As a client that does not ask for strict checks; the server drops what it does not know."""
        return self.send("POST", f"{self.path(kind)}?fieldValidation=Ignore", body)

    def get(self, kind: Kind, name: str) -> JsonObject | None:
        said = self.send("GET", self.path(kind, name))
        return said.object if said.accepted else None

    def replace(self, kind: Kind, name: str, obj: JsonObject) -> Said:
        return self.send("PUT", self.path(kind, name), msgspec.json.encode(obj))

    def merge(self, kind: Kind, name: str, patch: JsonObject) -> Said:
        return self.send("PATCH", self.path(kind, name), msgspec.json.encode(patch), MERGE)

    def registries(self) -> Iterator[JsonObject]:
        """All of them, some at a time."""
        more = ""
        while True:
            said = self.send("GET", f"{self.path(MCP_REGISTRY)}?limit=20{more}").object
            yield from said["items"]
            more = f"&continue={said['metadata'].get('continue', '')}"
            if more == "&continue=":
                return

    def remove(self, kind: Kind, name: str) -> None:
        """Removes it also where something holds it."""
        self.send("DELETE", self.path(kind, name))
        left = self.get(kind, name)
        if left is not None and left["metadata"].get("finalizers"):
            self.merge(kind, name, {"metadata": {"finalizers": None}})

    def _connection(self) -> http.client.HTTPSConnection:
        """One for each thread."""
        if not hasattr(self._local, "connection"):
            made = http.client.HTTPSConnection(self.place, context=self.tls, timeout=60)
            self._local.connection = made
            self._open.append(made)
        found: http.client.HTTPSConnection = self._local.connection
        return found


def config_map(name: str, text: str, **metadata: Any) -> bytes:
    return msgspec.json.encode(
        {
            "apiVersion": CONFIG_MAP.api_version,
            "kind": CONFIG_MAP.kind,
            "metadata": {"name": name, **metadata},
            "data": {"registry.json": text},
        }
    )


def registry(name: str, **spec: Any) -> bytes:
    """One without an API that reads the ConfigMap of its name, unless `spec` says otherwise."""
    return msgspec.json.encode(
        {
            "apiVersion": MCP_REGISTRY.api_version,
            "kind": MCP_REGISTRY.kind,
            "metadata": {"name": name},
            "spec": {
                "source": {"type": "configmap", "configMap": {"name": name}},
                "api": {"enabled": False},
                **spec,
            },
        }
    )
