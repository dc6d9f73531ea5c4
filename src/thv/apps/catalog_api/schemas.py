"""The shapes of the catalog's answers, for the OpenAPI document and for clients that are generated from it.

In the flow: handlers put bytes together themselves; a test validates every answer against these.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from thv.apps.registry_api.drift import DriftWord
from thv.apps.registry_api.schemas import InstalledServer, LoggedChange, Metadata, Tool, Trust

Reach = Literal["any-host", "named-hosts", "none", "undeclared", "remote"]


class RegistrySource(msgspec.Struct, omit_defaults=True):
    """Where the content of a registry comes from."""

    type: str
    host: str = ""
    name: str = ""


class Pipeline(msgspec.Struct):
    """How far the servers of a governed registry are."""

    approved_servers: int
    pending_promotion: int
    rejected_servers: int
    last_validation: str | None


class BriefSync(msgspec.Struct):
    """A sync that changed something, or failed."""

    outcome: str
    seconds: float | None


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
    stale: bool
    suspended: bool
    server_count: int
    managed_by: str | None
    created_at: str | None
    last_sync_time: str | None
    snapshot: str | None
    api_endpoint: str | None
    base: str
    catalog_state: Pipeline | msgspec.UnsetType = msgspec.UNSET
    syncs: list[BriefSync] | msgspec.UnsetType = msgspec.UNSET


class RegistryList(msgspec.Struct):
    """Registries."""

    registries: list[DescribedRegistry]
    metadata: Metadata


# ---------------------------------------------------------------- servers


class CatalogToolSummary(msgspec.Struct, omit_defaults=True):
    """A tool of a server."""

    name: str
    description: str
    input_schema: Any = None
    annotations: Any = None


class CatalogMetadata(msgspec.Struct, omit_defaults=True):
    """What is known of the popularity of a server; what is not known is absent."""

    stars: int | msgspec.UnsetType = msgspec.UNSET
    pulls: int | msgspec.UnsetType = msgspec.UNSET
    last_updated: str | msgspec.UnsetType = msgspec.UNSET
    repository_url: str | msgspec.UnsetType = msgspec.UNSET


class RecommendedResources(msgspec.Struct, omit_defaults=True):
    """Compute for a server, as Kubernetes spells it."""

    cpu: str | msgspec.UnsetType = msgspec.UNSET
    memory: str | msgspec.UnsetType = msgspec.UNSET
    cpu_limit: str | msgspec.UnsetType = msgspec.UNSET
    memory_limit: str | msgspec.UnsetType = msgspec.UNSET


class EnvironmentVariable(msgspec.Struct, omit_defaults=True):
    """A variable of a server; the default of a secret is never told."""

    name: str
    description: str
    required: bool
    default: str | msgspec.UnsetType = msgspec.UNSET
    secret: bool = False


class DeploymentConfig(msgspec.Struct, omit_defaults=True):
    """How a server is run."""

    security_profile: Literal["none", "network", "custom"]
    env_vars: list[EnvironmentVariable]
    recommended_resources: RecommendedResources | msgspec.UnsetType = msgspec.UNSET


class AirGapped(msgspec.Struct, omit_defaults=True):
    """What a closed network needs to know."""

    dependencies: list[str]
    image_digest: str | msgspec.UnsetType = msgspec.UNSET
    offline_docs_path: str | msgspec.UnsetType = msgspec.UNSET
    verified_date: str | msgspec.UnsetType = msgspec.UNSET
    size_mb: int | msgspec.UnsetType = msgspec.UNSET


class CatalogRegistryInfo(msgspec.Struct):
    """The registry that answers for a server, and others that have it."""

    namespace: str
    name: str
    trust_level: Trust
    version: str
    digest: str
    also_in: list[str]


class CatalogListedServer(msgspec.Struct, omit_defaults=True):
    """A Server Definition as lists have it; with `fields` only some of its members."""

    name: str
    display_name: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType = msgspec.UNSET
    category: Literal["validated", "community"] | msgspec.UnsetType = msgspec.UNSET
    provider: str | msgspec.UnsetType = msgspec.UNSET
    image: str | msgspec.UnsetType = msgspec.UNSET
    url: str | msgspec.UnsetType = msgspec.UNSET
    packages: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    transport: str | msgspec.UnsetType = msgspec.UNSET
    target_port: int | msgspec.UnsetType = msgspec.UNSET
    tools: list[CatalogToolSummary] | msgspec.UnsetType = msgspec.UNSET
    tags: list[str] | msgspec.UnsetType = msgspec.UNSET
    metadata: CatalogMetadata | msgspec.UnsetType = msgspec.UNSET
    deployment_config: DeploymentConfig | msgspec.UnsetType = msgspec.UNSET
    tier: str | msgspec.UnsetType = msgspec.UNSET
    status: Literal["Active", "Deprecated"] | msgspec.UnsetType = msgspec.UNSET
    version: str | msgspec.UnsetType = msgspec.UNSET
    reach: Reach | msgspec.UnsetType = msgspec.UNSET
    functional_category: str | msgspec.UnsetType = msgspec.UNSET
    air_gapped: AirGapped | msgspec.UnsetType = msgspec.UNSET
    registry_info: CatalogRegistryInfo | msgspec.UnsetType = msgspec.UNSET


class ClassCounts(msgspec.Struct):
    """Servers by class; the two sum to the total."""

    validated: int
    community: int


class CatalogListMetadata(Metadata, kw_only=True, omit_defaults=True):
    """Counts of a list of servers."""

    categories: ClassCounts
    partial: bool = False
    changed: bool = False
    facets: dict[str, dict[str, int]] | msgspec.UnsetType = msgspec.UNSET


class CatalogServerList(msgspec.Struct):
    """A page of servers."""

    servers: list[CatalogListedServer]
    metadata: CatalogListMetadata


class CatalogToolMetadata(Metadata, kw_only=True, omit_defaults=True):
    """Counts of a list of tools."""

    changed: bool = False
    facets: dict[str, dict[str, int]] | msgspec.UnsetType = msgspec.UNSET


class CatalogToolList(msgspec.Struct):
    """A page of tools; `categories` counts all tools that the caller may see."""

    tools: list[Tool]
    categories: dict[str, int]
    metadata: CatalogToolMetadata


class CatalogLinks(msgspec.Struct):
    """Where there is more about a server."""

    export: str
    versions: str
    registry_api: str


class CatalogServer(msgspec.Struct, omit_defaults=True):
    """A Server Definition in full."""

    name: str
    display_name: str
    description: str
    category: Literal["validated", "community"]
    provider: str
    tools: list[CatalogToolSummary]
    tags: list[str]
    metadata: CatalogMetadata
    deployment_config: DeploymentConfig
    tier: str
    status: Literal["Active", "Deprecated"]
    version: str
    reach: Reach
    air_gapped: AirGapped
    registry_info: CatalogRegistryInfo
    groups: list[str]
    links: CatalogLinks
    image: str | msgspec.UnsetType = msgspec.UNSET
    url: str | msgspec.UnsetType = msgspec.UNSET
    packages: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    transport: str | msgspec.UnsetType = msgspec.UNSET
    target_port: int | msgspec.UnsetType = msgspec.UNSET
    functional_category: str | msgspec.UnsetType = msgspec.UNSET
    permissions: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    args: list[Any] | msgspec.UnsetType = msgspec.UNSET
    headers: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    oauth_config: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    provenance: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    custom_metadata: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    approval: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class InstallCommand(msgspec.Struct):
    """A line to type; VALUE and FILE stand for what only a user knows."""

    title: str
    command: str


class InstallObstacle(msgspec.Struct):
    """Why there is nothing to install, and what to do instead."""

    message: str
    hint: str


class InstallVsCode(msgspec.Struct):
    """What VS Code is told: the file `.vscode/mcp.json`, or a command that adds the same for every folder."""

    file: dict[str, Any]
    command: str


class InstallOffer(msgspec.Struct):
    """How a server is installed."""

    name: str
    version: str
    commands: list[InstallCommand]
    manifest: str | None
    obstacle: InstallObstacle | None
    client: dict[str, Any] | None
    vscode: InstallVsCode | None
    notes: list[str]


# ---------------------------------------------------------------- categories, tools, groups


class Category(msgspec.Struct):
    """A class of servers."""

    display_name: str
    description: str
    server_count: int
    enforcement_recommended: bool
    verification_criteria: list[str]


class Categories(msgspec.Struct):
    """The two classes."""

    validated: Category
    community: Category


class CategoryList(msgspec.Struct):
    """The classes, and servers by what they are for."""

    categories: Categories
    functional_categories: dict[str, int]


class CatalogToolOffer(msgspec.Struct, omit_defaults=True):
    """A server that offers a tool."""

    name: str
    registry: str
    version: str
    trust_level: Trust
    description: str
    input_schema: Any = None


class CatalogTool(msgspec.Struct):
    """A tool."""

    name: str
    description: str
    category: str
    servers: list[CatalogToolOffer]
    usage_count: int


class CatalogGroup(msgspec.Struct):
    """A group of a registry."""

    name: str
    description: str
    servers: list[str]
    remote_servers: list[str]
    server_count: int
    registry: str


class CatalogGroupList(msgspec.Struct):
    """Groups."""

    groups: list[CatalogGroup]
    metadata: Metadata


# ---------------------------------------------------------------- changes


class CatalogChange(LoggedChange, kw_only=True):
    """What happened to one version in a registry; `seq` counts within the registry."""

    registry: str


class CatalogChangeList(msgspec.Struct):
    """What happened since a token; ask again with the new one."""

    changes: list[CatalogChange]
    since: str
    more: bool


# ---------------------------------------------------------------- deployments


class CatalogDeployment(InstalledServer, kw_only=True):
    """A server that is installed, and the registry that it names; without one there is nothing to compare it with."""

    registry: str | None
    server_name: str | None
    drift: DriftWord | None


class DeploymentMetadata(Metadata, kw_only=True, omit_defaults=True):
    """Counts of a list of installed servers."""

    complete: (
        Annotated[
            bool,
            msgspec.Meta(
                description="With origin=none: whether all servers that name no registry are known."
            ),
        ]
        | msgspec.UnsetType
    ) = msgspec.UNSET


class CatalogDeploymentList(msgspec.Struct):
    """A page of installed servers."""

    deployments: list[CatalogDeployment]
    metadata: DeploymentMetadata


class AdoptionWish(msgspec.Struct, omit_defaults=True):
    """Which server of which registry an installed one is."""

    registry: Annotated[str, msgspec.Meta(description="Its name, or namespace/name.")]
    server: Annotated[str, msgspec.Meta(description="By either of its names.")]
    move: Annotated[
        bool, msgspec.Meta(description="Also where it says that it is another one.")
    ] = False
    group: Annotated[
        Literal["toolhive.stacklok.dev", "toolhive.stacklok.io", ""],
        msgspec.Meta(description="Where both groups have one of this name: whose is meant."),
    ] = ""


class AdoptionCandidate(msgspec.Struct):
    """An entry that an installed server may be."""

    registry: str
    server: str
    version: Annotated[str, msgspec.Meta(description="The latest.")]
    image: str | None
    likeness: Annotated[
        Literal["image", "repository", "name"],
        msgspec.Meta(description="The same image, another tag of it, or the same name only."),
    ]


class AdoptionCandidates(msgspec.Struct):
    """An installed server, and what it may be, the best guess first."""

    deployment: CatalogDeployment
    candidates: list[AdoptionCandidate]


# ---------------------------------------------------------------- states


class RegistryCondition(msgspec.Struct):
    """A condition of a registry."""

    type: str
    status: str
    reason: str
    message: str
    last_transition_time: str | None


class SyncState(msgspec.Struct):
    """Where the sync of a registry is."""

    phase: str
    message: str
    last_attempt: str | None
    attempt_count: int
    last_sync_time: str | None
    content_hash: str | None
    chunks: int
    revision: str | None
    next_due: str | None
    last_handled_request: str | None


class ServerCounts(msgspec.Struct):
    """What the last sync that changed something did."""

    count: int
    versions: int
    added: int
    changed: int
    removed: int
    filtered: int
    blocked: int
    invalid: int
    lossy: int
    conversion_ratio: float


class ApiState(msgspec.Struct):
    """The registry's own API."""

    phase: str | None
    endpoint: str | None
    ready_replicas: int


class RegistryState(msgspec.Struct, omit_defaults=True):
    """What the operator says of a registry."""

    namespace: str
    name: str
    phase: str
    observed_generation: int
    generation: int
    conditions: list[RegistryCondition]
    sync: SyncState
    servers: ServerCounts
    api: ApiState
    catalog_state: Pipeline | msgspec.UnsetType = msgspec.UNSET
    deployed_servers: int | msgspec.UnsetType = msgspec.UNSET


class RegistryStateList(msgspec.Struct):
    """The states of several registries."""

    registries: list[RegistryState]
    metadata: Metadata


class LeftOutName(msgspec.Struct):
    """A name of which versions are left out, and the places of the spec that say so."""

    name: str
    versions: int
    rules: list[str]


class LeftOutMetadata(Metadata, kw_only=True):
    """How much of it this is; names are counted, and in `entries` versions."""

    entries: int
    complete: bool
    """Whether the list, which holds 1,000 names at most, has all of them."""


class LeftOutList(msgspec.Struct):
    """What a registry leaves out, by name."""

    left_out: list[LeftOutName]
    metadata: LeftOutMetadata


class SyncFailure(msgspec.Struct):
    """Why a sync failed."""

    code: str
    message: str


class PastSync(msgspec.Struct, omit_defaults=True):
    """A sync that changed something, or failed."""

    started_at: str | None
    finished_at: str | None
    trigger: str | None
    outcome: str | None
    revision: str | None
    snapshot: str | None
    added: int
    changed: int
    removed: int
    filtered: int
    invalid: int
    converted: int
    error: SyncFailure | msgspec.UnsetType = msgspec.UNSET


class SyncHistory(msgspec.Struct):
    """The last syncs, newest first."""

    syncs: list[PastSync]
    metadata: Metadata


class NamedRegistry(msgspec.Struct):
    """A registry."""

    namespace: str
    name: str


class RequestedSync(msgspec.Struct, omit_defaults=True):
    """A sync that was asked for."""

    registry: NamedRegistry
    request: str
    state: Literal["queued", "running", "succeeded", "failed"]
    joined: bool
    status_url: str
    result: PastSync | msgspec.UnsetType = msgspec.UNSET


class RegistryCounts(msgspec.Struct):
    """Registries."""

    total: int
    ready: int
    by_trust_level: dict[str, int]


class ServerStatistics(msgspec.Struct):
    """Servers, each name once."""

    total: int
    by_category: dict[str, int]
    by_functional_category: dict[str, int]
    by_tier: dict[str, int]
    by_transport: dict[str, int]
    by_kind: dict[str, int]
    by_reach: dict[str, int]


class SyncStatistics(msgspec.Struct):
    """Syncs that changed something or failed."""

    runs: int
    succeeded: int
    p95_seconds: float | None


class ConversionStatistics(msgspec.Struct):
    """How the entries of the sources were read."""

    entries: int
    converted: int
    ratio: float


class DeploymentStatistics(msgspec.Struct):
    """Servers that are installed from registries; those whose images prove it, by registry."""

    total: int
    by_registry: dict[str, int]
    drifted: int


class TopServer(msgspec.Struct):
    """A server that is installed often."""

    name: str
    deployments: int


class Statistics(msgspec.Struct, omit_defaults=True):
    """Counts of what the caller may see; what is installed is absent while it is not known."""

    registries: RegistryCounts
    servers: ServerStatistics
    tools: int
    sync_24h: SyncStatistics
    conversion: ConversionStatistics
    as_of: str
    deployments: DeploymentStatistics | msgspec.UnsetType = msgspec.UNSET
    top_servers: list[TopServer] | msgspec.UnsetType = msgspec.UNSET


SHAPES: tuple[type, ...] = (
    DescribedRegistry,
    RegistryList,
    CatalogServerList,
    CatalogToolList,
    CatalogServer,
    InstallOffer,
    CategoryList,
    CatalogTool,
    CatalogGroupList,
    CatalogChangeList,
    CatalogDeploymentList,
    AdoptionWish,
    AdoptionCandidates,
    RegistryState,
    RegistryStateList,
    SyncHistory,
    LeftOutList,
    RequestedSync,
    Statistics,
)
