"""The manifest of a bundle: what lies in a folder that is carried to where there is no way out, by digest.

In the flow: `stores/bundles` writes it last and reads it first. It is the manifest of an OCI artifact, with a layer for
each file, so that an OCI registry can hold the same files under the same digest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError

MANIFEST = "bundle.json"
MANIFEST_LIMIT = 16 << 20
FILE_LIMIT = 20_000
BYTE_LIMIT = 8 << 30
"""Of all files together."""

ARTIFACT = "application/vnd.stacklok.toolhive.catalog.v1+json"
_OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_EMPTY: JsonObject = {
    "mediaType": "application/vnd.oci.empty.v1+json",
    "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    "size": 2,
    "data": "e30=",
}
"""The config of an artifact that has none, as the OCI specification spells it."""
_OCI = "org.opencontainers.image."
_OWN = "io.stacklok.toolhive.catalog."
_TITLE = f"{_OCI}title"

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PART = re.compile(r"[A-Za-z0-9_@+-][A-Za-z0-9._@+-]{0,127}", re.ASCII)
"""What every file system can hold; none that begins with a dot."""
DEPTH = 4
"""Folders and the file in them."""


class Media(StrEnum):
    """What a file is."""

    TOOLHIVE = "application/vnd.stacklok.toolhive.registry.toolhive.v1+json"
    UPSTREAM = "application/vnd.stacklok.toolhive.registry.upstream.v1+json"
    MANIFESTS = "application/yaml"
    IMAGES = "text/plain"
    PAGE = "text/markdown"


class Part(NamedTuple):
    """A file that is to be in a bundle."""

    path: str
    media: Media
    pieces: Iterable[bytes]


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is in a bundle."""

    path: str
    """Below the folder, with `/`."""
    media_type: str
    size: int
    digest: str


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle says that it holds."""

    name: str
    title: str = ""
    description: str = ""
    trust_level: str = "raw"
    source: str
    """The registry that it was made of: `namespace/name`."""
    snapshot: str
    """Digest of what that served."""
    created: str
    """When that was made: the same content gives the same bundle."""
    servers: int
    image_registry: str = ""
    """Where its images are to lie; `""` for where they always did."""
    program: str
    """Version of the program that wrote it."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A whole bundle."""

    catalog: Catalog
    files: tuple[Listed, ...]

    def files_of(self, media: Media) -> list[Listed]:
        """Those that are such."""
        return [each for each in self.files if each.media_type == media.value]


def render_manifest(manifest: Manifest) -> bytes:
    """The text; of the same bundle always the same one."""
    value: JsonObject = {
        "schemaVersion": 2,
        "mediaType": _OCI_MANIFEST,
        "artifactType": ARTIFACT,
        "config": _EMPTY,
        "layers": [_layer(each) for each in manifest.files],
        "annotations": _annotations(manifest.catalog),
    }
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def _layer(listed: Listed) -> JsonObject:
    return {
        "mediaType": listed.media_type,
        "digest": listed.digest,
        "size": listed.size,
        "annotations": {_TITLE: listed.path},
    }


_NAMES = {
    "name": f"{_OWN}name",
    "title": _TITLE,
    "description": f"{_OCI}description",
    "trust_level": f"{_OWN}trust-level",
    "source": f"{_OWN}source",
    "snapshot": f"{_OWN}snapshot",
    "created": f"{_OCI}created",
    "servers": f"{_OWN}servers",
    "image_registry": f"{_OWN}image-registry",
    "program": f"{_OCI}version",
}


def _annotations(catalog: Catalog) -> dict[str, str]:
    said = {name: str(getattr(catalog, field)) for field, name in _NAMES.items()}
    return {name: text for name, text in said.items() if text}


# Reading ---------------------------------------------------------------------------------------------------


def parse_manifest(content: bytes) -> Manifest:
    """The manifest; raises FORMAT_UNSUPPORTED for another document, SNAPSHOT_DAMAGED for one that may not be followed."""
    try:
        value = msgspec.json.decode(content, type=JsonObject)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _no_bundle(f"it is no JSON object: {error}") from error
    if value.get("artifactType") != ARTIFACT:
        raise _no_bundle(f"its artifactType is not {ARTIFACT}")
    layers = value.get("layers")
    if not isinstance(layers, list):
        raise damaged(f"{MANIFEST} lists no layers")
    files = tuple(_listed(place, each) for place, each in enumerate(layers))
    _check_together(files)
    return Manifest(catalog=_catalog(value.get("annotations")), files=files)


def damaged(why: str) -> ThvError:
    """A bundle that is not what somebody wrote."""
    return ThvError(
        Code.SNAPSHOT_DAMAGED,
        f"the bundle is damaged: {why}",
        hint="Nothing of it was used. Copy it again from where it was made.",
    )


def _no_bundle(why: str) -> ThvError:
    return ThvError(
        Code.FORMAT_UNSUPPORTED,
        f"{MANIFEST} is not the manifest of a bundle: {why}",
        hint="Bundles are written by: thv catalog save NAME --output DIR",
    )


def _listed(place: int, layer: Any) -> Listed:
    where = f"layers[{place}]"
    if not isinstance(layer, dict):
        raise damaged(f"{where} is no object")
    annotations = layer.get("annotations")
    path = annotations.get(_TITLE) if isinstance(annotations, dict) else None
    if not isinstance(path, str) or not is_safe_path(path):
        raise damaged(f"{where} names a file that may not be in a bundle: {str(path)[:100]!r}")
    digest, size, media = (layer.get(key) for key in ("digest", "size", "mediaType"))
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise damaged(f"the digest of {path} is none: {str(digest)[:100]!r}")
    if type(size) is not int or not 0 <= size <= BYTE_LIMIT:
        raise damaged(f"the size of {path} is none: {str(size)[:40]}")
    if not isinstance(media, str):
        raise damaged(f"{path} has no mediaType")
    return Listed(path=path, media_type=media, size=size, digest=digest)


def is_safe_path(path: str) -> bool:
    """Whether a file of this path lies in the folder, on every system, and is not the manifest."""
    parts = path.split("/")
    return (
        path != MANIFEST
        and len(parts) <= DEPTH
        and all(_PART.fullmatch(part) and not part.endswith(".") for part in parts)
    )


def _check_together(files: Sequence[Listed]) -> None:
    if len(files) > FILE_LIMIT:
        raise damaged(f"it lists {len(files):,} files, and {FILE_LIMIT:,} are the most")
    if sum(each.size for each in files) > BYTE_LIMIT:
        raise damaged(f"its files have more than {BYTE_LIMIT >> 30} GiB together")
    twice = _twice(each.path for each in files)
    if twice:
        raise damaged(f"it lists {twice} twice")


def _twice(paths: Iterator[str]) -> str:
    """The first path that some file system cannot tell from an earlier one."""
    seen: set[str] = set()
    for path in paths:
        if path.casefold() in seen:
            return path
        seen.add(path.casefold())
    return ""


def _catalog(annotations: Any) -> Catalog:
    said: Mapping[str, Any] = annotations if isinstance(annotations, dict) else {}
    given = {field: said[name] for field, name in _NAMES.items() if name in said}
    try:
        return msgspec.convert(given, Catalog, strict=False)
    except msgspec.ValidationError as error:
        raise damaged(f"its annotations do not say what it is: {error}") from error
