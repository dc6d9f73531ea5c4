"""What a namespace comes to: everything in it as it would be in any other run, and how often what was made and removed.

Two runs of one scenario are equal when their pictures are; what differs is told in lines that a person reads.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.control_plane.plane import ControlPlane
from tests.faults.kubernetes.journal import Write
from thv.domain.canonical import JsonObject

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
KINDS = {
    "mcpregistries": "/apis/toolhive.stacklok.io/v1alpha1",
    "configmaps": "/api/v1",
    "services": "/api/v1",
    "serviceaccounts": "/api/v1",
    "deployments": "/apis/apps/v1",
    "roles": _RBAC,
    "rolebindings": _RBAC,
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "poddisruptionbudgets": "/apis/policy/v1",
}
AUTH_BINDING = "toolhive-registry-api-auth"
_OTHERS = {"configmaps/kube-root-ca.crt", "serviceaccounts/default"}
_MOVING = ("uid", "resourceVersion", "creationTimestamp", "managedFields")
_NOBODYS = ("clusterIP", "clusterIPs")
"""What the API server chooses."""
_COMPUTED = (
    "deployment.kubernetes.io/revision",
    "toolhive.stacklok.io/config-hash",  # of names and uids, too
    "toolhive.stacklok.io/bytes",
)
_PER_SYNC = ("durationMilliseconds", "trigger", "etag", "revision")
_TIME = re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z\b")
_UID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_CHUNK = re.compile(r"\b([a-z][-a-z0-9]*)-s-[0-9a-f]{16}\b")


@dataclass(frozen=True)
class Picture:
    objects: dict[str, Any]
    """By kind and name, such as `services/corp-api`."""
    created: Counter[str] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)
    stray: tuple[str, ...] = ()
    """Chunks that no registry names."""


def picture(plane: ControlPlane, namespace: str, writes: list[Write]) -> Picture:
    """The namespace as it is now, and what these writes did."""
    live = dict(_live(plane, namespace))
    names = _Names(live, namespace)
    objects: dict[str, Any] = {}
    for key, obj in live.items():
        name = names.masked(key)
        while name in objects:  # chunks that differ in nothing but times
            name += "+"
        objects[name] = _ordered(json.loads(names.masked(json.dumps(_steady(key, obj)))))
    objects[f"clusterrolebindings/{AUTH_BINDING}"] = subjects(plane, namespace)
    return Picture(
        objects,
        Counter(_plain(write) for write in writes if write.created),
        Counter(_plain(write) for write in writes if write.deleted),
        tuple(sorted(stray(live))),
    )


def stray(live: dict[str, JsonObject]) -> set[str]:
    """The names of chunks to which no pointer leads."""
    named: set[str] = set()
    for key, obj in live.items():
        if key.startswith("mcpregistries/"):
            named |= set(_named_chunks(obj.get("status", {})))
    return {name for key in live if (name := _chunk_of(key)) and name not in named}


def strays(plane: ControlPlane, namespace: str) -> set[str]:
    """The same of a namespace as it is now."""
    return stray(dict(_live(plane, namespace)))


def torn(plane: ControlPlane, namespace: str) -> list[str]:
    """Chunks that a registry names and nobody can read: a reader would see half a snapshot."""
    live = dict(_live(plane, namespace))
    named = {name for obj in live.values() for name in _named_chunks(obj.get("status", {}))}
    return sorted(name for name in named if f"configmaps/{name}" not in live)


def differences(undisturbed: Picture, run: Picture, *, remade: int = 0) -> list[str]:
    """What a person would want to know; empty when the runs came to the same.

    `remade` is how many chunks of each registry may have been made once more: a chunk holds the times of its sync, so
    that one that was killed makes another. What it left is to be gone like everything else.
    """
    return [
        *_between(undisturbed.objects, run.objects),
        *_counted("created", undisturbed.created, run.created, remade),
        *_counted("deleted", undisturbed.deleted, run.deleted, remade),
        *(f"configmaps/{name} is a chunk that no registry names" for name in run.stray),
    ]


# ---------------------------------------------------------------- one object


def _live(plane: ControlPlane, namespace: str) -> Iterator[tuple[str, JsonObject]]:
    for plural, base in KINDS.items():
        for obj in plane.request("GET", f"{base}/namespaces/{namespace}/{plural}")["items"]:
            key = f"{plural}/{obj['metadata']['name']}"
            if key not in _OTHERS:
                yield key, obj


def _steady(key: str, obj: JsonObject) -> JsonObject:
    """Without what differs from one run to the next."""
    kept = {name: part for name, part in obj.items() if name != "status"}
    kept["metadata"] = {k: v for k, v in obj["metadata"].items() if k not in _MOVING}
    for name in _COMPUTED:
        kept["metadata"].get("annotations", {}).pop(name, None)
    for name in _NOBODYS:
        kept.get("spec", {}).pop(name, None)
    if key.startswith("mcpregistries/"):
        kept["status"] = _steady_status(obj.get("status", {}))
    if _chunk_of(key):
        kept["binaryData"] = f"records {_records(obj)}"
    return kept


def _ordered(obj: JsonObject) -> JsonObject:
    """A Role names chunks in the order of their names, which differ in each run."""
    for rule in obj.get("rules") or ():
        rule.get("resourceNames", []).sort()
    return obj


def _steady_status(status: JsonObject) -> JsonObject:
    kept: JsonObject = json.loads(json.dumps(status))
    if "conditions" in kept:  # a map by type, in the order in which they first appeared
        kept["conditions"].sort(key=lambda condition: condition["type"])
    sync = kept.get("syncStatus", {})
    for part in (sync, *sync.get("history", ()), *kept.get("history", ())):
        for name in _PER_SYNC:
            part.pop(name, None)
    if "history" in sync:  # a failure that was overcome is no difference
        sync["history"] = [each for each in sync["history"] if each["outcome"] == "Succeeded"]
    for pointer in _pointers(kept):
        pointer.pop("bytes", None)
        for ref in pointer.get("chunks", ()):
            ref.pop("bytes", None)
    return kept


def _pointers(status: JsonObject) -> list[JsonObject]:
    names = ("snapshot", "previousSnapshot", "candidates")
    return [status[name] for name in names if status.get(name)]


def _named_chunks(status: JsonObject) -> Iterator[str]:
    for pointer in _pointers(status):
        yield from (ref["name"] for ref in pointer.get("chunks", ()))
    if left_out := status.get("statistics", {}).get("leftOut"):
        yield left_out["name"]


def _chunk_of(key: str) -> str:
    """The name of a chunk, `""` when the key is not one's."""
    plural, _, name = key.partition("/")
    return name if plural == "configmaps" and _CHUNK.fullmatch(name) else ""


def _records(chunk: JsonObject) -> str:
    """A name for what is in a chunk, times aside."""
    packed = base64.b64decode(chunk.get("binaryData", {}).get("entries.jsonl.gz", ""))
    plain = gzip.decompress(packed).decode() if packed else ""
    return hashlib.sha256(_TIME.sub("TIME", plain).encode()).hexdigest()[:16]


class _Names:
    """Names in place of what is different in each run: times, uids, the namespace, chunks and their digests."""

    def __init__(self, live: dict[str, JsonObject], namespace: str) -> None:
        self._namespace = re.compile(rf"\b{re.escape(namespace)}\b")
        self._uids = {obj["metadata"]["uid"]: f"UID of {key}" for key, obj in live.items()}
        self._chunks: dict[str, str] = {}
        self._digests: dict[str, str] = {}
        for key, obj in live.items():
            if name := _chunk_of(key):
                records = _records(obj)
                self._chunks[name] = f"{_registry_of(name)}-s-{records}"
                digest = obj["metadata"].get("annotations", {}).get("toolhive.stacklok.io/digest")
                self._digests[str(digest)] = f"digest of {records}"

    def masked(self, text: str) -> str:
        text = _TIME.sub("TIME", text)
        text = _UID.sub(lambda m: self._uids.get(m[0], "UID of what is gone"), text)
        for digest, name in self._digests.items():
            text = text.replace(digest, name)
        text = _CHUNK.sub(lambda m: self._chunks.get(m[0], f"{m[1]}-s-GONE"), text)
        return self._namespace.sub("NAMESPACE", text)


def _registry_of(chunk: str) -> str:
    return chunk.rpartition("-s-")[0]


def _plain(write: Write) -> str:
    name = _chunk_of(write.target.key)
    return f"configmaps/{_registry_of(name)}-s-*" if name else write.target.key


def subjects(plane: ControlPlane, namespace: str) -> list[str]:
    """Whom of this namespace the shared binding names."""
    items = plane.request("GET", f"{_RBAC}/clusterrolebindings")["items"]
    found = [item for item in items if item["metadata"]["name"] == AUTH_BINDING]
    subjects = found[0].get("subjects") or [] if found else []
    return sorted(each["name"] for each in subjects if each.get("namespace") == namespace)


# ---------------------------------------------------------------- what differs


def _between(left: Any, right: Any, place: str = "") -> Iterator[str]:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            below = f"{place}: {key}" if place.count(":") == 0 and place else f"{place}.{key}"
            yield from _between(left.get(key), right.get(key), below if place else key)
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, pair in enumerate(zip(left, right, strict=True)):
            yield from _between(*pair, f"{place}[{number}]")
    elif left != right:
        yield f"{place} is {_short(right)}, undisturbed {_short(left)}"


def _short(value: Any) -> str:
    text = "missing" if value is None else json.dumps(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _counted(word: str, left: Counter[str], right: Counter[str], remade: int) -> Iterator[str]:
    for key in sorted(left.keys() | right.keys()):
        allowed = remade if key.endswith("-s-*") else 0
        if not 0 <= right[key] - left[key] <= allowed:
            yield f"{key} was {word} {right[key]} times, undisturbed {left[key]} times"
