"""The resources that files hold: YAML or JSON, several documents, lists, folders, the standard input.

In the flow: before `apply`, `delete -f` and `migrate`. Each resource keeps its place, so that an error can name it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from thv.apps.cli.documents import STDIN, missing
from thv.apps.cli.exits import CommandError
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.resources import (
    KINDS,
    MCP_REGISTRY,
    NAMESPACE,
    OLD_GROUP,
    Kind,
    find_kind,
    name_of,
)
from thv.formats.folder import UnreadableFileError, parse_file

_SUFFIXES = (".yaml", ".yml", ".json")
_LIMIT = 32 << 20
_MARKER = re.compile(rb"(?m)^---(?=[ \t\r]*(?:$|\S))[^\n]*?$|^\.\.\.[ \t\r]*$")
_WORDS = re.compile(rb"(?m)^\s*[^#%\s]")

# What Kubernetes knows and a single machine has no use for.
_CLUSTER_KINDS = {
    "ClusterRole", "ClusterRoleBinding", "CronJob", "CustomResourceDefinition", "DaemonSet", "Deployment",
    "HorizontalPodAutoscaler", "Ingress", "Job", "NetworkPolicy", "PersistentVolumeClaim", "Pod",
    "PodDisruptionBudget", "ReplicaSet", "Role", "RoleBinding", "Service", "ServiceAccount", "ServiceMonitor",
    "StatefulSet", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
}  # fmt: skip
_LATER_KINDS = {
    "MCPRegistryExportJob", "MCPRegistryImportJob", "MCPRegistrySyncJob", "MCPReviewSignOff", "MCPServerReview",
}  # fmt: skip


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A resource and where it stands."""

    obj: JsonObject
    place: str
    """`registry.yaml`, `registry.yaml, document 2 (line 14)`."""

    @property
    def kind(self) -> Kind | None:
        """Its kind, None when nobody here knows it."""
        return find_kind(str(self.obj.get("apiVersion")), str(self.obj.get("kind")))

    @property
    def title(self) -> str:
        """`deployment.apps/web`, also of what nobody knows."""
        kind, group = str(self.obj.get("kind")).lower(), ""
        if "/" in str(self.obj.get("apiVersion")):
            group = "." + str(self.obj.get("apiVersion")).partition("/")[0]
        return f"{kind}{group}/{name_of(self.obj) or '(no name)'}"


def read_manifests(session: Session, places: Iterable[str]) -> list[Manifest]:
    """Every resource of these files, folders or `-`, in their order; raises for what is no manifest."""
    return [found for place in places for found in _at(session, place)]


def title_of(obj: JsonObject, kind: Kind) -> str:
    """As kubectl prints it: `mcpregistry.toolhive.stacklok.io/corp`, `secret/token`."""
    return f"{kind.singular}{'.' + kind.group if kind.group else ''}/{name_of(obj)}"


def is_namespace(manifest: Manifest) -> bool:
    """Whether it is a namespace, which one machine has without being told."""
    found = find_kind(
        str(manifest.obj.get("apiVersion")), str(manifest.obj.get("kind")), (NAMESPACE,)
    )
    return found is not None


def unknown_kind(manifest: Manifest, *, on_cluster: bool = False) -> CommandError:
    """Why a resource cannot be kept here."""
    version, kind = manifest.obj.get("apiVersion"), manifest.obj.get("kind")
    known = ", ".join(each.kind for each in KINDS)
    tries = [f"kinds that are kept here: {known}"]
    if kind == MCP_REGISTRY.kind and str(version).startswith(OLD_GROUP):
        message = f'apiVersion "{version}" of {manifest.title} is of an older ToolHive'
        tries = ["thv registry migrate FILE   (writes it as this version reads it)"]
    elif on_cluster:
        message = f"{manifest.title} is none of the kinds that thv applies: {known}, Namespace"
        tries = ["kubectl apply -f FILE   (applies every kind)"]
    elif kind in _CLUSTER_KINDS:
        message = f"{manifest.title} means something to a Kubernetes cluster only"
    elif kind in _LATER_KINDS:
        message = f"{manifest.title}: this version does not keep the kind {kind} on one machine yet"
    else:
        message = f'there is no kind "{kind}" in apiVersion "{version}"'
    return CommandError(Code.INVALID, message, cause=f"found in {manifest.place}", tries=tries)


# Files -----------------------------------------------------------------------------------------------------


def _at(session: Session, place: str) -> Iterator[Manifest]:
    if place == STDIN:
        content = session.common.around.stdin.read(_LIMIT + 1)
        yield from _manifests("the standard input", content)
        return
    if place.startswith(("http://", "https://")):
        raise CommandError(
            Code.INVALID,
            f"-f takes a file, a folder or -, not a URL: {place}",
            tries=[f"curl -sSf {place} | {session.common.program} apply -f -"],
        )
    path = Path(place)
    if not path.exists():
        raise missing(path)
    for file in _files(path):
        yield from _manifests(str(file), _content(file))


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES and file.is_file())
    if not found:
        raise CommandError(
            Code.PATH_NOT_FOUND,
            f'the folder "{path}" holds no manifest',
            tries=["manifests are files that end in .yaml, .yml or .json"],
        )
    return found


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LIMIT + 1)
    except OSError as error:
        message = f'"{path}" cannot be read: {error.strerror or error}'
        raise CommandError(Code.FORBIDDEN, message) from error


def _manifests(title: str, content: bytes) -> list[Manifest]:
    if len(content) > _LIMIT:
        message = f"{title} is larger than {_LIMIT >> 20} MiB, which no manifest is"
        raise CommandError(Code.SIZE_LIMIT_EXCEEDED, message)
    found = [
        manifest for place, text in _documents(title, content) for manifest in _read(place, text)
    ]
    if not found:
        raise CommandError(
            Code.INVALID,
            f"{title} holds no resource",
            tries=[
                "a resource begins with apiVersion, kind and metadata; see: thv explain mcpregistry"
            ],
        )
    return found


def _documents(title: str, content: bytes) -> list[tuple[str, bytes]]:
    """The YAML documents, or the one of JSON, with their places."""
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return [(title, content)]
    ends = [(match.start(), match.end()) for match in _MARKER.finditer(content)]
    starts = [0, *(start for start, _ in ends)]
    stops = [*(start for start, _ in ends), len(content)]
    parts = [
        (content.count(b"\n", 0, start) + 1, content[start:stop])
        for start, stop in zip(starts, stops, strict=True)
    ]
    filled = [(line, part) for line, part in parts if _WORDS.search(_MARKER.sub(b"", part))]
    if len(filled) == 1:
        return [(title, filled[0][1])]
    return [
        (f"{title}, document {number} (line {line})", part)
        for number, (line, part) in enumerate(filled, 1)
    ]


def _read(place: str, text: bytes) -> Iterator[Manifest]:
    name = (
        "manifest.json"
        if text.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
        else "manifest.yaml"
    )
    try:
        value = parse_file(name, text)
        value = msgspec.json.decode(msgspec.json.encode(value))
    except (UnreadableFileError, TypeError, ValueError) as error:
        message = f"{place} is neither YAML nor JSON: {error}"
        raise CommandError(Code.FORMAT_INVALID, message, exit_code=None) from error
    yield from _resources(place, value)


def _resources(place: str, value: Any) -> Iterator[Manifest]:
    """The resource of a document, or those of a list."""
    if not isinstance(value, dict) or not _texts(value, "apiVersion", "kind"):
        raise _no_resource(place, value)
    items = value.get("items")
    if str(value["kind"]).endswith("List") and isinstance(items, list):
        for index, item in enumerate(items):
            kind = str(value["kind"]).removesuffix("List")
            inner = {"apiVersion": value["apiVersion"], "kind": kind} if kind else {}
            whole = {**inner, **item} if isinstance(item, dict) else item
            yield from _resources(f"{place}, items[{index}]", whole)
        return
    yield Manifest(obj=value, place=place)


def _texts(value: JsonObject, *keys: str) -> bool:
    return all(isinstance(value.get(key), str) and value[key] for key in keys)


def _no_resource(place: str, value: Any) -> CommandError:
    what = (
        f"a document with {', '.join(sorted(map(str, value))[:6])}"
        if isinstance(value, dict)
        else "no object"
    )
    tries = ["a resource begins with apiVersion, kind and metadata"]
    if isinstance(value, dict) and {"servers", "data", "remote_servers"} & value.keys():
        tries = [
            "this looks like a registry file: thv registry add NAME --file FILE",
            "or make a manifest of it: thv registry migrate FILE",
        ]
    return CommandError(Code.INVALID, f"{place} is no resource: found {what}", tries=tries)
