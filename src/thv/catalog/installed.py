"""Servers that are installed, and how they stand to the registry that they came from.

In the flow: after `install`, whenever somebody lists servers. Pure: an object comes in, and what its registry holds
now. Labels are read under both prefixes; they are claims, and what counts is the image.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from thv.catalog.install import SOURCE
from thv.domain.canonical import JsonObject
from thv.domain.lenient import as_object, as_text
from thv.domain.resources import (
    annotation,
    annotations_of,
    label,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
)
from thv.domain.text import label_value

UP = ("Running", "Ready")
"""What the versions of ToolHive call a server that clients can reach."""


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """A server that is there. What nobody said is `""`."""

    namespace: str
    name: str
    registry: str
    registry_namespace: str
    server: str
    """Its name in the registry; of a server that was labelled by hand the label."""
    version: str
    image: str
    transport: str
    status: str
    url: str
    created: str
    labels: dict[str, str]

    @property
    def is_ready(self) -> bool:
        """Whether it answers, as either group says it."""
        return self.status in UP


class Offer(msgspec.Struct, frozen=True):
    """A version of a server as its registry holds it now."""

    version: str
    image: str


class Drift(StrEnum):
    """How an installed server stands to its registry."""

    UNKNOWN = ""
    """It came from none, or from one that cannot be read from here."""
    NONE = "none"
    OUTDATED = "outdated"
    """The registry has a newer version."""
    CHANGED = "changed"
    """It runs another image than the registry names for its version."""
    GONE = "gone"
    """The registry does not hold it any more."""


def installed_of(obj: JsonObject) -> Installed:
    """What an MCPServer of either group says."""
    spec, status = as_object(obj.get("spec")), as_object(obj.get("status"))
    space, source = _source(obj)
    return Installed(
        namespace=namespace_of(obj),
        name=name_of(obj),
        registry=label(obj, "registry-name") or source,
        registry_namespace=label(obj, "registry-namespace") or space,
        server=annotation(obj, "server-name") or label(obj, "server-name") or "",
        version=annotation(obj, "server-version") or "",
        image=as_text(spec.get("image")),
        transport=as_text(spec.get("transport")),
        status=as_text(status.get("phase")),
        url=as_text(status.get("url")),
        created=as_text(metadata_of(obj).get("creationTimestamp")),
        labels=labels_of(obj),
    )


def _source(obj: JsonObject) -> tuple[str, str]:
    """Namespace and name of the registry in the annotation, which may leave the namespace out."""
    space, _, name = annotations_of(obj).get(SOURCE, "").rpartition("/")
    return space, name


def is_from(installed: Installed, namespace: str, name: str) -> bool:
    """Whether the server says that it came from this registry."""
    spaces = (namespace, label_value(namespace)) if installed.registry_namespace else ("",)
    return (
        installed.registry in (name, label_value(name)) and installed.registry_namespace in spaces
    )


def is_called(installed: Installed, key: str) -> bool:
    """Whether the server says that it is this one of its registry."""
    return installed.server in (key, label_value(key))


def drift_of(installed: Installed, same: Offer | None, latest: Offer | None) -> Drift:
    """How it stands to what the registry holds: its own version, if there still is one, and the latest."""
    if latest is None:
        return Drift.GONE
    if same is None and installed.version:
        return Drift.OUTDATED
    if not is_image(installed.image, (same or latest).image):
        return Drift.CHANGED
    return Drift.NONE if same in (None, latest) else Drift.OUTDATED


def is_image(image: str, offered: str) -> bool:
    """Whether it is the same image; a digest that only one of them names says nothing against it."""
    plain, _, digest = image.partition("@")
    other, _, named = offered.partition("@")
    return plain == other and (not digest or not named or digest == named)
