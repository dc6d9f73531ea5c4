"""The shapes of the catalog's answers, for the OpenAPI document and for clients that are generated from it.

In the flow: handlers put bytes together themselves; a test validates every answer against these.
"""

from __future__ import annotations

import msgspec

from thv.apps.registry_api.schemas import Metadata, Trust


class RegistrySource(msgspec.Struct, omit_defaults=True):
    """Where the content of a registry comes from."""

    type: str
    host: str = ""


class Pipeline(msgspec.Struct):
    """How far the servers of a governed registry are."""

    approved_servers: int
    pending_promotion: int
    rejected_servers: int
    last_validation: str | None


class DescribedRegistry(msgspec.Struct, omit_defaults=True):
    """One registry."""

    namespace: str
    name: str
    display_name: str
    description: str
    trust_level: Trust
    format: str | None
    source: RegistrySource
    enforce_servers: bool
    phase: str
    ready: bool
    server_count: int
    managed_by: str | None
    created_at: str | None
    last_sync_time: str | None
    snapshot: str | None
    api_endpoint: str | None
    base: str
    catalog_state: Pipeline | msgspec.UnsetType = msgspec.UNSET


class RegistryList(msgspec.Struct):
    """Registries."""

    registries: list[DescribedRegistry]
    metadata: Metadata


SHAPES: tuple[type, ...] = (DescribedRegistry, RegistryList)
