"""The shapes of our own answers, for the OpenAPI document and for clients that are generated from it.

In the flow: handlers put bytes together themselves; a test validates every answer against these.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from thv.apps.registry_api.drift import DriftWord

Trust = Literal["raw", "tested", "trusted"]


class Metadata(msgspec.Struct, omit_defaults=True):
    """Counts of a list."""

    total_count: Annotated[int, Meta(description="Rows before filters.")]
    filtered_count: Annotated[int, Meta(description="Rows after filters, on all pages.")]
    count: Annotated[int, Meta(description="Rows on this page.")]
    next_cursor: (
        Annotated[str, Meta(description="Absent on the last page.")] | msgspec.UnsetType
    ) = msgspec.UNSET


class Origin(msgspec.Struct, omit_defaults=True):
    """The registry that an entry came through."""

    name: str
    namespace: str = ""
    trust_level: str = ""


class RegistryInfo(msgspec.Struct):
    """What the registry knows of an entry."""

    namespace: str
    name: str
    display_name: str
    trust_level: Trust
    snapshot: str
    synced_at: str | None
    version: str
    is_latest: bool
    versions_count: int
    digest: str
    published_at: str | None
    updated_at: str | None
    origin: Origin | None
    approval: dict[str, Any] | None


class ToolhiveServer(msgspec.Struct, omit_defaults=True):
    """An entry of ToolHive's registry format with its key as `name`; other members as that format has them."""

    name: str
    description: str | msgspec.UnsetType = msgspec.UNSET
    title: str | msgspec.UnsetType = msgspec.UNSET
    image: str | msgspec.UnsetType = msgspec.UNSET
    url: str | msgspec.UnsetType = msgspec.UNSET
    transport: str | msgspec.UnsetType = msgspec.UNSET
    tier: str | msgspec.UnsetType = msgspec.UNSET
    status: str | msgspec.UnsetType = msgspec.UNSET
    tools: list[str] | msgspec.UnsetType = msgspec.UNSET
    tags: list[str] | msgspec.UnsetType = msgspec.UNSET
    custom_metadata: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    registry_info: RegistryInfo | msgspec.UnsetType = msgspec.UNSET


class ToolhiveServerList(msgspec.Struct):
    """A page of servers."""

    servers: list[ToolhiveServer]
    metadata: Metadata


class VersionSummary(msgspec.Struct):
    """One version of a server."""

    version: str
    is_latest: bool
    status: Literal["active", "deprecated", "deleted"]
    status_message: str | None
    published_at: str | None
    updated_at: str | None
    digest: str
    trust_level: str


class VersionList(msgspec.Struct):
    """The versions of a server, newest first."""

    name: str
    versions: list[VersionSummary]
    metadata: Metadata


class Side(msgspec.Struct):
    """One side of a comparison."""

    version: str
    digest: str


class Change(msgspec.Struct):
    """A place that differs; `path` is a JSON pointer into the ToolHive entry."""

    path: str
    op: Literal["add", "remove", "replace"]
    old: Any
    new: Any


class Summary(msgspec.Struct):
    """A comparison as a reviewer asks about it."""

    tools_added: list[str]
    tools_removed: list[str]
    tools_changed: list[str]
    permissions: list[str]
    image_changed: bool
    env_vars: list[str]
    risk: Literal["low", "medium", "high"]


class Comparison(msgspec.Struct):
    """How two versions of a server differ."""

    name: str
    base: Side
    head: Side
    summary: Summary
    changes: list[Change]


class ToolDefinition(msgspec.Struct):
    """A tool of one server; nothing but the name where no definition is known."""

    name: str
    description: str
    input_schema: Any
    output_schema: Any
    annotations: Any


class CountMetadata(msgspec.Struct):
    """A count."""

    count: int


class ServerTools(msgspec.Struct):
    """The tools of one server."""

    server: str
    version: str
    tools: list[ToolDefinition]
    metadata: CountMetadata


class Group(msgspec.Struct):
    """A group and the names of its members."""

    name: str
    description: str
    servers: list[str]
    remote_servers: list[str]
    server_count: int


class GroupList(msgspec.Struct):
    """All groups of a registry."""

    groups: list[Group]
    metadata: Metadata


class ToolhiveGroup(msgspec.Struct):
    """A group with its members in full."""

    name: str
    description: str
    server_count: int
    servers: list[ToolhiveServer]
    remote_servers: list[ToolhiveServer]


class Tool(msgspec.Struct):
    """A tool and who offers it; at most 100 servers are named, the count is never cut."""

    name: str
    description: str
    category: str
    servers: list[str]
    usage_count: int


class ToolList(msgspec.Struct):
    """A page of tools; `categories` counts the tools of the whole registry."""

    tools: list[Tool]
    categories: dict[str, int]
    metadata: Metadata


class Offer(msgspec.Struct):
    """A server that offers a tool."""

    name: str
    version: str
    description: str


class OfferedTool(msgspec.Struct):
    """One tool."""

    name: str
    description: str
    category: str
    servers: list[Offer]
    usage_count: int


class Source(msgspec.Struct, omit_defaults=True):
    """Where the content comes from; never with credentials."""

    type: str
    host: str = ""
    revision: str = ""


class Snapshot(msgspec.Struct):
    """What is served."""

    digest: str
    created_at: str
    servers: int
    versions: int
    bytes: int


class Sync(msgspec.Struct):
    """How the last synchronization went."""

    phase: str | None
    last_success: str | None
    last_attempt: str | None


class Attribution(msgspec.Struct):
    """Whose data it is."""

    text: str
    url: str


class Info(msgspec.Struct, omit_defaults=True):
    """What a registry says of itself."""

    namespace: str
    name: str
    display_name: str
    description: str
    trust_level: Trust
    format: str | None
    source: Source
    snapshot: Snapshot
    sync: Sync
    bases: list[str]
    formats: list[str]
    version: str
    attribution: Attribution | msgspec.UnsetType = msgspec.UNSET


class Loss(msgspec.Struct):
    """Something that a document leaves out."""

    name: str
    version: str
    field: str
    reason: str


class Losses(msgspec.Struct):
    """Everything that a document leaves out."""

    losses: list[Loss]


class LoggedChange(msgspec.Struct):
    """What happened to one version."""

    seq: int
    type: Literal["added", "changed", "removed", "deprecated", "revoked", "restored"]
    name: str
    version: str
    digest: str
    at: str


class ChangeList(msgspec.Struct):
    """What happened since a token; ask again with the new one."""

    changes: list[LoggedChange]
    since: str
    more: bool


class InstalledServer(msgspec.Struct, kw_only=True):
    """What a server that is installed says of itself; what nobody said is null."""

    name: str
    namespace: str
    server_version: str | None
    image: str
    transport: str | None
    status: str | None
    ready: bool
    endpoint_url: str | None
    labels: dict[str, str]


class Deployment(InstalledServer, kw_only=True):
    """One that names the registry."""

    server_name: str
    drift: Annotated[DriftWord, Meta(description="How it stands to what the registry holds now.")]


class DeploymentList(msgspec.Struct):
    """A page of installed servers."""

    deployments: list[Deployment]
    metadata: Metadata


class Check(msgspec.Struct):
    """One thing that health depends on."""

    name: str
    status: str
    message: str


class SnapshotAge(msgspec.Struct):
    """How old the content is."""

    digest: str
    age_seconds: int


class Health(msgspec.Struct, omit_defaults=True):
    """Whether content is served, and whether it is fresh."""

    status: Literal["ok", "degraded", "unavailable"]
    checks: list[Check] | msgspec.UnsetType = msgspec.UNSET
    registry: str = ""
    snapshot: SnapshotAge | msgspec.UnsetType = msgspec.UNSET
    version: str = ""


class ErrorDetails(msgspec.Struct, omit_defaults=True):
    """What is wrong, for programs."""

    request_id: str
    field: str | msgspec.UnsetType = msgspec.UNSET
    value: Any = msgspec.UNSET
    hint: str | msgspec.UnsetType = msgspec.UNSET
    retry_after: int | msgspec.UnsetType = msgspec.UNSET


class ErrorObject(msgspec.Struct):
    """What is wrong."""

    code: str
    message: str
    details: ErrorDetails


class ErrorItem(msgspec.Struct):
    """One culprit."""

    message: str
    location: str
    value: Any


class Error(msgspec.Struct, omit_defaults=True):
    """The body of every error of our own API."""

    error: ErrorObject
    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[ErrorItem] | msgspec.UnsetType = msgspec.UNSET


class OfficialError(msgspec.Struct, omit_defaults=True):
    """The body of every error of the official API."""

    title: str
    status: int
    detail: str
    error: str
    code: str
    details: ErrorDetails
    errors: list[ErrorItem] | msgspec.UnsetType = msgspec.UNSET


class Space(msgspec.Struct):
    """What a caller may do to the registries of a namespace."""

    name: str
    verbs: list[str]


class Me(msgspec.Struct):
    """Who a caller is."""

    user: str
    uid: str
    groups: list[str]
    method: Annotated[str, Meta(description="Who says so.")]
    namespaces: list[Space]


class Right(msgspec.Struct):
    """Whether a caller may do something."""

    allowed: bool


class ProtectedResource(msgspec.Struct):
    """Where a client gets a token."""

    resource: str
    bearer_methods_supported: list[str]
    scopes_supported: list[str]
    authorization_servers: list[str]


class Status(msgspec.Struct):
    """Alive."""

    status: Literal["ok"]


class Ready(msgspec.Struct):
    """Ready or not."""

    status: Literal["ok", "unavailable"]


class Pong(msgspec.Struct):
    """Alive, in other words."""

    pong: bool


class OfficialVersion(msgspec.Struct):
    """Which build this is."""

    version: str
    git_commit: str
    build_time: str


class Version(msgspec.Struct):
    """Which build this is, and on what it runs."""

    version: str
    git_commit: str
    build_time: str
    python: str
    api: list[str]


SHAPES: tuple[type, ...] = (
    ToolhiveServerList,
    ToolhiveServer,
    VersionList,
    Comparison,
    ServerTools,
    GroupList,
    ToolhiveGroup,
    ToolList,
    OfferedTool,
    Info,
    Losses,
    ChangeList,
    DeploymentList,
    Health,
    Error,
    OfficialError,
    Me,
    Right,
    ProtectedResource,
    Status,
    Ready,
    Pong,
    OfficialVersion,
    Version,
)
"""Every shape that an endpoint names."""
