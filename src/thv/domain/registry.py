"""The MCPRegistry: a source, its policy, and what is served of it.

In the flow: a reconcile loads the object into a `Registry`, the steps read `spec` and compute the next
`status`. The structs below are the API: the schema of the CustomResourceDefinition, its defaults and its
reference page are made from them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from thv.domain.canonical import JsonObject
from thv.domain.errors import FieldError, InvalidError
from thv.domain.fields import (
    ConfigMapKey,
    DataKey,
    Digest,
    Duration,
    ObjectName,
    Quantity,
    Reference,
    shape,
)
from thv.domain.filter import Filter
from thv.domain.policy import PromotionCriteria, ValidationPolicy
from thv.domain.registry_status import RegistryStatus
from thv.domain.resources import MCP_REGISTRY, annotations_of, labels_of, metadata_of


class TrustLevel(StrEnum):
    """How far the entries of a registry were checked."""

    RAW = "raw"
    TESTED = "tested"
    TRUSTED = "trusted"


BEST_FIRST = (TrustLevel.TRUSTED, TrustLevel.TESTED, TrustLevel.RAW)
"""Where several registries have a server, the one answers that is trusted most."""


class SourceType(StrEnum):
    """Where entries come from; names the block of the source that is set."""

    CONFIGMAP = "configmap"
    URL = "url"
    GIT = "git"
    REGISTRY = "registry"
    OCI = "oci"
    FILE = "file"


class OnUpdate(StrEnum):
    """What a sync may do to entries that are already there."""

    CREATE = "create"
    UPDATE = "update"
    RECREATE = "recreate"


# ---------------------------------------------------------------- source


class AuthSecret(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Credentials; what the Secret holds decides: a token, then an SSH key, then user and password."""

    name: Annotated[
        ObjectName,
        Meta(description='Name of the Secret, in the same namespace. Example: "git-read".'),
    ]
    username_key: Annotated[
        DataKey, Meta(description="Key of the Secret with the user name. Default: username.")
    ] = "username"
    password_key: Annotated[
        DataKey, Meta(description="Key of the Secret with the password. Default: password.")
    ] = "password"  # noqa: S105 # the name of a key
    token_key: Annotated[
        DataKey, Meta(description="Key of the Secret with a bearer token. Default: token.")
    ] = "token"  # noqa: S105 # the name of a key
    ssh_key_key: Annotated[
        DataKey,
        Meta(description="Key of the Secret with a private SSH key. Default: ssh-privatekey."),
    ] = "ssh-privatekey"
    known_hosts_key: Annotated[
        DataKey,
        Meta(
            description="Key of the Secret with the known_hosts lines, without which SSH is refused. Default: known_hosts."
        ),
    ] = "known_hosts"


_Auth = Annotated[
    AuthSecret | None,
    Meta(description="Secret with the credentials of this source; they are sent to its host only."),
]
_TrustRoots = Annotated[
    ConfigMapKey | None,
    Meta(description="ConfigMap with certificates that are trusted besides those of the system."),
]
_Headers = Annotated[
    dict[str, Annotated[str, Meta(max_length=1024)]],
    Meta(
        max_length=20,
        description='Headers sent to this origin; credentials belong into authSecret or headersSecret. Example: {"X-Team": "mcp"}.',
    ),
]
_HeadersSecret = Annotated[
    Reference | None,
    Meta(description="Secret of which each key is the name of a header, sent to this origin only."),
]


class ConfigMapSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A document in a ConfigMap; a change of it is synced at once."""

    name: Annotated[
        ObjectName,
        Meta(description='Name of the ConfigMap, in the same namespace. Example: "corp-servers".'),
    ]
    key: Annotated[
        DataKey,
        Meta(
            description="Key in data or binaryData; one that ends in .gz is decompressed. Default: registry.json."
        ),
    ] = "registry.json"


class UrlSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A document behind a URL, or the base of a registry API."""

    url: Annotated[
        str,
        Meta(
            max_length=2048,
            description='Document to fetch; where it is none, a registry API of the same origin is looked for. Example: "https://catalog.example.com/servers.json".',
        ),
    ]
    headers: _Headers = msgspec.field(default_factory=dict)
    headers_secret: _HeadersSecret = None
    auth_secret: _Auth = None
    ca_config_map: _TrustRoots = None


class GitSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A file or folder of a Git repository."""

    repository: Annotated[
        str,
        Meta(
            max_length=2048,
            description='Repository by https, http, ssh or user@host:path. Example: "https://git.example.com/mcp/registry.git".',
        ),
    ]
    branch: Annotated[
        str,
        Meta(
            max_length=255,
            description="Branch to follow, unless tag or commit is set. Default: main.",
        ),
    ] = "main"
    tag: Annotated[
        str, Meta(max_length=255, description='Tag to read; wins over branch. Example: "v1.4.0".')
    ] = ""
    commit: Annotated[
        str,
        Meta(
            max_length=64,
            pattern="^[a-f0-9]{40}([a-f0-9]{24})?$",
            description='Full commit id to read; wins over branch. Example: "3f9c01aa3f9c01aa3f9c01aa3f9c01aa3f9c01aa".',
            extra_json_schema=shape("a full commit id: 40 or 64 hex digits in lower case"),
        ),
    ] = ""
    path: Annotated[
        str,
        Meta(
            max_length=1024,
            description="File in the repository, or folder of single entries. Default: registry.json.",
        ),
    ] = "registry.json"
    auth_secret: _Auth = None
    ca_config_map: _TrustRoots = None


class RegistrySource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Another registry, by its API or as an object of the same namespace."""

    url: Annotated[
        str,
        Meta(
            max_length=2048,
            description='Servers of one of our registries, or base of any server of the official API. Example: "https://registry.modelcontextprotocol.io".',
        ),
    ] = ""
    registry_ref: Annotated[
        Reference | None,
        Meta(description="MCPRegistry of the same namespace, read without the network."),
    ] = None
    versions: Annotated[
        Literal["latest", "all"],
        Meta(
            description="Of an official API: the latest version of each name, or every version. Default: latest."
        ),
    ] = "latest"
    headers: _Headers = msgspec.field(default_factory=dict)
    headers_secret: _HeadersSecret = None
    auth_secret: _Auth = None
    ca_config_map: _TrustRoots = None


class Verify(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whose signature an artifact must carry."""

    key_secret: Annotated[
        Reference, Meta(description="Secret with public keys, one a key; any of them may sign.")
    ]


class OciSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An artifact in an OCI registry."""

    reference: Annotated[
        str,
        Meta(
            max_length=512,
            pattern="^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+$",
            description='Repository without tag. Example: "ghcr.io/corp/mcp-catalog".',
            extra_json_schema=shape(
                "a repository without tag, such as ghcr.io/corp/mcp-catalog; spec.source.oci.tag names the tag"
            ),
        ),
    ]
    tag: Annotated[
        str,
        Meta(
            max_length=128,
            description='Tag, or a range of semantic versions such as ">=1.4.0 <2.0.0". Default: latest.',
        ),
    ] = "latest"
    digest: Annotated[
        Digest, Meta(description="Digest of the artifact; wins over tag. Example: sha256:3b1f....")
    ] = ""
    verify: Annotated[
        Verify | None,
        Meta(
            description="Signature check; required when the trust level of the registry is trusted."
        ),
    ] = None
    allow_rollback: Annotated[
        bool, Meta(description="Accept a release older than the last one. Default: false.")
    ] = False
    auth_secret: _Auth = None
    ca_config_map: _TrustRoots = None


class FileSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A file or folder of the machine; single machine only."""

    path: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=4096,
            description='File or folder below a root that the settings allow. Example: "/srv/registry.json".',
        ),
    ]


class SourceSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where entries come from; exactly the block that `type` names is set."""

    type: Annotated[
        SourceType, Meta(description='Kind of source; names the one block to set. Example: "git".')
    ]
    config_map: Annotated[
        ConfigMapSource | None, Meta(description="Set when type is configmap.")
    ] = None
    url: Annotated[UrlSource | None, Meta(description="Set when type is url.")] = None
    git: Annotated[GitSource | None, Meta(description="Set when type is git.")] = None
    registry: Annotated[RegistrySource | None, Meta(description="Set when type is registry.")] = (
        None
    )
    oci: Annotated[OciSource | None, Meta(description="Set when type is oci.")] = None
    file: Annotated[
        FileSource | None,
        Meta(description="Set when type is file, which exists on a single machine only."),
    ] = None


# ---------------------------------------------------------------- sync and serving


class Retry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a failed sync is tried again."""

    max_retries: Annotated[
        int,
        Meta(
            ge=0, le=10, description="Further tries before the sync counts as failed. Default: 3."
        ),
    ] = 3
    backoff_interval: Annotated[
        Duration,
        Meta(
            description="Wait before the first further try, 1s to 1h; doubles up to 15m, with jitter. Default: 30s."
        ),
    ] = "30s"


class Webhook(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Lets somebody ask for a sync by a signed request."""

    secret_ref: Annotated[
        Reference,
        Meta(
            description="Secret with the key secret and, while it is rotated, secret-next, each of at least 24 bytes."
        ),
    ]


class SyncPolicy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """When and how the source is read."""

    enabled: Annotated[
        bool,
        Meta(
            description="False suspends automatic sync; a requested sync still runs. Default: true."
        ),
    ] = True
    interval: Annotated[
        Duration,
        Meta(description="Time between two syncs, 1m to 720h, with a jitter of 5 %. Default: 1h."),
    ] = "1h"
    on_update: Annotated[
        OnUpdate,
        Meta(
            description="For entries: create only adds, update adds, changes and removes, recreate rebuilds all. Default: update."
        ),
    ] = OnUpdate.UPDATE
    timeout: Annotated[
        Duration,
        Meta(
            description="How long a source may bring nothing new, 1s to 1h; a first sync waits for as long as it answers. Default: 30s."
        ),
    ] = "30s"
    retry: Annotated[Retry, Meta(description="How a failed sync is tried again.")] = Retry()
    webhook: Annotated[
        Webhook | None,
        Meta(description="A signed POST to status.syncStatus.webhookPath triggers a sync at once."),
    ] = None


class Quantities(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Amounts of compute."""

    cpu: Annotated[Quantity | None, Meta(description='Cores. Example: "50m".')] = None
    memory: Annotated[Quantity | None, Meta(description='Bytes. Example: "128Mi".')] = None


class Resources(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Compute of each API pod."""

    requests: Annotated[Quantities | None, Meta(description="What is reserved for a pod.")] = None
    limits: Annotated[Quantities | None, Meta(description="What a pod may use at most.")] = None


class Api(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The registry's own API service."""

    enabled: Annotated[bool, Meta(description="Deploy the service <name>-api. Default: true.")] = (
        True
    )
    replicas: Annotated[
        int, Meta(ge=1, le=5, description="Pods of the service, 1 to 5. Default: 1.")
    ] = 1
    mode: Annotated[
        Literal["dedicated", "shared"] | None,
        Meta(
            description="A deployment of its own, or one for all such registries of the namespace. Default: as the operator is set, dedicated."
        ),
    ] = None
    anonymous_read: Annotated[
        bool, Meta(description="Reads of this registry's API need no token. Default: false.")
    ] = False
    resources: Annotated[
        Resources | None,
        Meta(
            description="Compute of a pod, instead of the operator's default; one that contradicts what is given here gives way."
        ),
    ] = None


# ---------------------------------------------------------------- the whole


class RegistrySpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a user wants of a registry."""

    display_name: Annotated[
        str, Meta(max_length=128, description='Title for people. Example: "Corporate catalog".')
    ] = ""
    description: Annotated[
        str,
        Meta(
            max_length=2048,
            description='What the registry holds, for people. Example: "Reviewed servers".',
        ),
    ] = ""
    format: Annotated[
        Literal["toolhive", "upstream"] | None,
        Meta(
            description='Format of the source; detected at each fetch when absent. Example: "upstream".'
        ),
    ] = None
    trust_level: Annotated[
        TrustLevel,
        Meta(
            description="How far the entries were checked; policy that gates entries needs tested or trusted. Default: raw."
        ),
    ] = TrustLevel.RAW
    source: Annotated[SourceSpec, Meta(description="Where entries come from.")]
    sync_policy: Annotated[SyncPolicy, Meta(description="When and how the source is read.")] = (
        SyncPolicy()
    )
    filter: Annotated[
        Filter | None,
        Meta(
            description="Which entries are taken; each given include list must match, no exclude list may."
        ),
    ] = None
    enforce_servers: Annotated[
        bool,
        Meta(
            description="MCPServers of this namespace must use an image of an enforcing registry. Default: false."
        ),
    ] = False
    enforce_tools: Annotated[
        bool,
        Meta(
            description="MCPServers that use an image of this registry must reference a tool config within the entry's tools. Default: false."
        ),
    ] = False
    api: Annotated[Api, Meta(description="The registry's own API service.")] = Api()
    validation_policy: Annotated[
        ValidationPolicy | None, Meta(description="What an entry must satisfy to be served.")
    ] = None
    promotion_criteria: Annotated[
        PromotionCriteria | None,
        Meta(description="What a revision must show before it is promoted; all given ones hold."),
    ] = None


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """A registry as a reconcile sees it."""

    namespace: str
    name: str
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    created_at: str = ""
    """RFC 3339."""
    deleting: bool = False
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    spec: RegistrySpec
    status: RegistryStatus = RegistryStatus()

    @property
    def governed(self) -> bool:
        """Whether only promoted revisions are served."""
        policy, criteria = self.spec.validation_policy, self.spec.promotion_criteria
        gated = policy is not None and (policy.approval_required or policy.security_scan_required)
        return gated or (criteria is not None and criteria.any_given)


def load_registry(obj: JsonObject) -> Registry:
    """The typed registry of an object; raises INVALID with the field that is wrong.

    Status fields that this version does not know are ignored.
    """
    metadata = metadata_of(obj)
    name = str(metadata.get("name", ""))
    return Registry(
        namespace=metadata.get("namespace", ""),
        name=name,
        uid=metadata.get("uid", ""),
        generation=metadata.get("generation", 0),
        resource_version=metadata.get("resourceVersion", ""),
        created_at=metadata.get("creationTimestamp") or "",
        deleting="deletionTimestamp" in metadata,
        labels=labels_of(obj),
        annotations=annotations_of(obj),
        spec=_converted(obj.get("spec"), RegistrySpec, name, "spec"),
        status=_converted(obj.get("status") or {}, RegistryStatus, name, "status"),
    )


def load_refused(obj: JsonObject) -> Registry:
    """A registry of which only the status counts, as its spec or its status cannot be read.

    It stands for an object that got past the schema of this version; whoever reconciles it says what is wrong.
    """
    try:
        return load_registry({**obj, "spec": {"source": {"type": "configmap"}}})
    except InvalidError:
        return load_registry({**obj, "spec": {"source": {"type": "configmap"}}, "status": {}})


def dump_status(status: RegistryStatus) -> JsonObject:
    """The status as it is written: empty texts, lists and objects are left out, counts and flags stay."""
    dumped: JsonObject = _without_empty(msgspec.to_builtins(status))
    return dumped


T = TypeVar("T")


def _converted(value: Any, kind: type[T], name: str, part: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        field = part + where.rstrip("`")
        subject = MCP_REGISTRY.subject(name)
        raise InvalidError(subject, [FieldError(field, what)]) from error


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        kept = ((key, _without_empty(item)) for key, item in value.items())
        return {key: item for key, item in kept if not _empty(item)}
    if isinstance(value, list | tuple):
        return [_without_empty(item) for item in value]
    return value


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | dict | list) and not value)
