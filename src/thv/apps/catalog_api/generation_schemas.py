"""The shapes of requests for registries and of what is answered, for the OpenAPI document.

In the flow: beside `schemas`; bodies are read by `thv.catalog.generate.request`, which says what is wrong field by field.
"""

from __future__ import annotations

from typing import Any

import msgspec


class ToolWords(msgspec.Struct, omit_defaults=True):
    """Other words for a tool."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType = msgspec.UNSET


class WantedResources(msgspec.Struct, omit_defaults=True):
    """Compute of a server, as Kubernetes writes amounts."""

    cpu: str | msgspec.UnsetType = msgspec.UNSET
    memory: str | msgspec.UnsetType = msgspec.UNSET
    cpu_limit: str | msgspec.UnsetType = msgspec.UNSET
    memory_limit: str | msgspec.UnsetType = msgspec.UNSET


class WantedConfiguration(msgspec.Struct, omit_defaults=True):
    """How a server is wanted."""

    custom_image: str | msgspec.UnsetType = msgspec.UNSET
    custom_image_digest: str | msgspec.UnsetType = msgspec.UNSET
    tools_filter: list[str] | msgspec.UnsetType = msgspec.UNSET
    tool_overrides: dict[str, ToolWords] | msgspec.UnsetType = msgspec.UNSET
    env_overrides: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    resources: WantedResources | msgspec.UnsetType = msgspec.UNSET


class WantedServer(msgspec.Struct, omit_defaults=True):
    """A server that is wanted; registry, version and digest pin it."""

    name: str
    configuration: WantedConfiguration | msgspec.UnsetType = msgspec.UNSET
    registry: str | msgspec.UnsetType = msgspec.UNSET
    version: str | msgspec.UnsetType = msgspec.UNSET
    digest: str | msgspec.UnsetType = msgspec.UNSET


class RequestMetadata(msgspec.Struct, omit_defaults=True):
    """The registry that is to be."""

    registry_name: str
    namespace: str | msgspec.UnsetType = msgspec.UNSET
    display_name: str | msgspec.UnsetType = msgspec.UNSET


class RequestConfiguration(msgspec.Struct):
    """What the registry enforces, and whether it follows its ConfigMap."""

    enforce_servers: bool = False
    enforce_tools: bool = False
    auto_sync: bool = False


class GlobalTags(msgspec.Struct):
    """Tags of servers that the registry takes, and that it does not."""

    include: list[str] = []
    exclude: list[str] = []


class RequestFilters(msgspec.Struct, omit_defaults=True):
    """Which servers the registry takes."""

    global_tags: GlobalTags | msgspec.UnsetType = msgspec.UNSET


class GenerationRequest(msgspec.Struct, omit_defaults=True):
    """A registry that somebody wants to have."""

    metadata: RequestMetadata
    servers: list[WantedServer]
    configuration: RequestConfiguration | msgspec.UnsetType = msgspec.UNSET
    filters: RequestFilters | msgspec.UnsetType = msgspec.UNSET


class Export(GenerationRequest):
    """A request that makes a registry of one server as it is, with what is known of the server."""

    definitions: dict[str, Any] = {}
    registry_data: dict[str, Any] = {}


class GeneratedRegistry(msgspec.Struct):
    """The registry that there is, or would be."""

    namespace: str
    name: str
    phase: str
    api_endpoint: str


class NamedImage(msgspec.Struct, omit_defaults=True):
    """What is run of a server."""

    server: str
    image: str
    digest: str | msgspec.UnsetType = msgspec.UNSET
    source: str | msgspec.UnsetType = msgspec.UNSET
    """Where it has to be copied from, where `image_registry` moved it."""


class GenerationWarning(msgspec.Struct):
    """What may surprise, and the field that changes it."""

    field: str
    message: str


class Rendered(msgspec.Struct, omit_defaults=True):
    """What a request comes to."""

    registry: GeneratedRegistry
    warnings: list[GenerationWarning]
    dry_run: bool
    manifests: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    images: list[NamedImage] | msgspec.UnsetType = msgspec.UNSET


class Generated(msgspec.Struct):
    """What was written, or would have been."""

    registry: GeneratedRegistry
    created: list[str]
    manifests: list[dict[str, Any]]
    images: list[NamedImage]
    warnings: list[GenerationWarning]
    dry_run: bool


GENERATION_SHAPES: tuple[type, ...] = (GenerationRequest, Export, Rendered, Generated)
