"""What of a server one can run: a container, a remote endpoint, a package, or nothing, and why.

The rule is ToolHive's where ToolHive has one (remotes before packages, an OCI package before others) and goes
on where ToolHive stops: npm and PyPI packages are run through `npx` and `uvx`.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, TypeAlias

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.lenient import as_text

HTTP_TRANSPORTS = ("streamable-http", "sse")

_SCHEMES = {"npm": "npx", "pypi": "uvx"}
_TAGGED = re.compile(r"@sha256:|:[^/]*$")
_LOCAL_PORT = re.compile(
    r"https?://(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0)(?::(\d{1,5}))?(?:/|$)"
)


class Container(msgspec.Struct, frozen=True):
    """An image and how it is spoken to; `index` is its place among the packages."""

    kind: ClassVar[str] = "container"
    index: int
    reference: str
    transport: str
    port: int | None = None


class Package(msgspec.Struct, frozen=True):
    """A package that a runner starts: `npx://name@version` or `uvx://name@version`."""

    kind: ClassVar[str] = "package"
    index: int
    reference: str
    transport: str
    port: int | None = None


class Remote(msgspec.Struct, frozen=True):
    """An endpoint that somebody else runs; `index` is its place among the remotes."""

    kind: ClassVar[str] = "remote"
    index: int
    reference: str
    transport: str


class NotRunnable(msgspec.Struct, frozen=True):
    """Nothing here can be started or called, and this is why."""

    kind: ClassVar[str] = "none"
    reason: str
    reference: ClassVar[str] = ""
    transport: ClassVar[str] = ""


Target: TypeAlias = Container | Package | Remote | NotRunnable


def target_of(server: JsonObject) -> Target:
    """The one thing of a server that a ToolHive entry names."""
    remote = _first_remote(server.get("remotes"))
    if remote is not None:
        return remote
    packages = _objects(server.get("packages"))
    for index, package in packages:
        if package.get("registryType") == "oci" and image_of(package):
            transport, port = _local_transport(package.get("transport"))
            return Container(index, image_of(package), transport, port)
    for index, package in packages:
        scheme = _SCHEMES.get(str(package.get("registryType")))
        if scheme and as_text(package.get("identifier")):
            transport, port = _local_transport(package.get("transport"))
            return Package(index, _runner_reference(scheme, package), transport, port)
    return NotRunnable(_why_not(server, packages))


def image_of(package: JsonObject) -> str:
    """The image reference of an OCI package, also in the older spelling with host and tag apart."""
    identifier = as_text(package.get("identifier"))
    if not identifier or _TAGGED.search(identifier.rpartition("/")[2]) or "@sha256:" in identifier:
        return identifier
    host = as_text(package.get("registryBaseUrl")).partition("://")[2].strip("/")
    version = as_text(package.get("version"))
    image = f"{host}/{identifier}" if host and not identifier.startswith(f"{host}/") else identifier
    return f"{image}:{version}" if version else image


def image_tag(reference: str) -> str:
    """The tag of an image, or the version of a package reference; `""` without one."""
    scheme, separator, rest = reference.partition("://")
    if separator:
        return rest.rpartition("@")[2] if "@" in rest[1:] and scheme in _SCHEMES.values() else ""
    last = reference.partition("@")[0].rpartition("/")[2]
    return last.partition(":")[2]


def _runner_reference(scheme: str, package: JsonObject) -> str:
    version = as_text(package.get("version"))
    identifier = as_text(package.get("identifier"))
    return f"{scheme}://{identifier}@{version}" if version else f"{scheme}://{identifier}"


def _first_remote(remotes: Any) -> Remote | None:
    for index, remote in _objects(remotes):
        url, transport = as_text(remote.get("url")), remote.get("type")
        if url and transport in HTTP_TRANSPORTS:
            return Remote(index, url, transport)
    return None


def _local_transport(transport: Any) -> tuple[str, int | None]:
    kind = transport.get("type") if isinstance(transport, dict) else None
    if kind not in HTTP_TRANSPORTS:
        return "stdio", None
    match = _LOCAL_PORT.match(as_text(transport.get("url")))
    port = int(match[1]) if match and match[1] else None
    return kind, port if port and port <= 65535 else None


def _why_not(server: JsonObject, packages: list[tuple[int, JsonObject]]) -> str:
    if packages:
        kinds = sorted(
            {as_text(package.get("registryType")) or "untyped" for _, package in packages}
        )
        return f"no runner for packages of type {', '.join(kinds)}"
    if server.get("remotes"):
        return "no remote has a URL and a transport of sse or streamable-http"
    return "neither packages nor remotes"


def _objects(values: Any) -> list[tuple[int, JsonObject]]:
    if not isinstance(values, list):
        return []
    return [(index, value) for index, value in enumerate(values) if isinstance(value, dict)]
