"""The shapes of registries as manifests, for the OpenAPI document.

In the flow: beside `schemas`; what a spec may say is in the schema of the resource, which says what is wrong field by field.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from thv.apps.catalog_api.generation_schemas import GeneratedRegistry
from thv.apps.catalog_api.schemas import LeftOutName


class ManifestMetadata(msgspec.Struct, omit_defaults=True):
    """Which registry."""

    name: str
    namespace: str | msgspec.UnsetType = msgspec.UNSET
    labels: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    annotations: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


class RegistryManifest(msgspec.Struct, omit_defaults=True, rename="camel"):
    """An MCPRegistry as somebody applies it."""

    metadata: ManifestMetadata
    spec: dict[str, Any]
    api_version: str = ""
    kind: Literal["MCPRegistry", ""] = ""


class CheckedManifest(msgspec.Struct):
    """A manifest that may be applied, and what should be changed all the same."""

    manifest: RegistryManifest
    warnings: list[str]


class MadeRegistry(CheckedManifest):
    """What was written, or would have been, with its defaults."""

    registry: GeneratedRegistry
    dry_run: bool


class Suspension(msgspec.Struct, omit_defaults=True):
    """Why a registry is suspended, for people."""

    reason: str | msgspec.UnsetType = msgspec.UNSET


class RegistryName(msgspec.Struct):
    """Which registry."""

    namespace: str
    name: str


class SwitchedRegistry(msgspec.Struct):
    """Whether it is synchronized when somebody asks for it only."""

    registry: RegistryName
    suspended: bool


class PreviewProblem(msgspec.Struct):
    """An item of a source that could not be read."""

    place: str
    name: str
    reason: str


class PreviewFailure(msgspec.Struct):
    """Why a source could not be read."""

    code: str
    message: str
    hint: str


class PreviewLimits(msgspec.Struct):
    """How much of a source is read."""

    entries: int
    seconds: float


class RegistryPreview(msgspec.Struct, omit_defaults=True):
    """What a registry would take; `entries` are versions, of which it takes some and leaves others out."""

    outcome: Literal["read", "cut", "failed"]
    cut: Literal["", "entries", "seconds"]
    format: str
    entries: int
    taken: int
    filtered: int
    blocked: int
    rejected: int
    first: list[str]
    left_out: list[LeftOutName]
    problems: list[PreviewProblem]
    limits: PreviewLimits
    error: PreviewFailure | msgspec.UnsetType = msgspec.UNSET


MANIFEST_SHAPES: tuple[type, ...] = (
    RegistryManifest,
    CheckedManifest,
    MadeRegistry,
    Suspension,
    SwitchedRegistry,
    RegistryPreview,
)
