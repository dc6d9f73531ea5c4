"""Resources as plain JSON objects: their kinds, and the few fields that every one has.

In the flow: what the resource store keeps, the reconcilers read and the API renders. An object stays the dict
that it is on the wire; what a kind means beyond its metadata is in the module of that kind.
"""

from __future__ import annotations

from typing import Any

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.lenient import as_text

GROUP = "toolhive.stacklok.io"
OLD_GROUP = "toolhive.stacklok.dev"
PREFIX = GROUP + "/"
OLD_PREFIX = OLD_GROUP + "/"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of namespaced object."""

    group: str = ""
    """`""` is the core group."""
    version: str
    kind: str
    plural: str
    short_names: tuple[str, ...] = ()
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As an object spells it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """As messages and commands spell it."""
        return self.kind.lower()

    @property
    def resource(self) -> str:
        """Plural and group, the one name of the kind: `mcpregistries.toolhive.stacklok.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def words(self) -> frozenset[str]:
        """Every lower-case word that a user may type for it."""
        plain = {self.plural, self.singular, *self.short_names}
        if not self.group:
            return frozenset(plain)
        qualified = {f"{word}.{self.group}" for word in (self.plural, self.singular)}
        versioned = {f"{self.plural}.{self.version}.{self.group}"}
        return frozenset(plain | qualified | versioned)

    def subject(self, name: str) -> str:
        """The object as a person names it: `mcpregistry "corp"`."""
        return f'{self.singular} "{name}"'


MCP_REGISTRY = Kind(
    group=GROUP,
    version="v1alpha1",
    kind="MCPRegistry",
    plural="mcpregistries",
    short_names=("mcpreg",),
)
CONFIG_MAP = Kind(version="v1", kind="ConfigMap", plural="configmaps", short_names=("cm",))
SECRET = Kind(version="v1", kind="Secret", plural="secrets")
MCP_SERVER = Kind(
    group=GROUP,
    version="v1alpha1",
    kind="MCPServer",
    plural="mcpservers",
    short_names=("mcpserver",),
)
TOOL_CONFIG = Kind(
    group=GROUP,
    version="v1alpha1",
    kind="MCPToolConfig",
    plural="mcptoolconfigs",
    short_names=("tc", "toolconfig"),
)

KINDS = (MCP_REGISTRY, CONFIG_MAP, SECRET, MCP_SERVER, TOOL_CONFIG)
"""What every resource store keeps."""


def _of_toolhive(kind: Kind) -> tuple[Kind, ...]:
    """The same kind as ToolHive installs it, the newest version first."""
    return tuple(
        msgspec.structs.replace(kind, group=OLD_GROUP, version=version)
        for version in ("v1beta1", "v1alpha1")
    )


SERVER_KINDS = (*_of_toolhive(MCP_SERVER), MCP_SERVER)
"""Where servers may be kept on a cluster, the place that is written to first: ToolHive's own, where it is."""
TOOL_CONFIG_KINDS = (*_of_toolhive(TOOL_CONFIG), TOOL_CONFIG)
"""The same of tool configs."""

_RBAC = "rbac.authorization.k8s.io"
SERVICE = Kind(version="v1", kind="Service", plural="services", short_names=("svc",))
SERVICE_ACCOUNT = Kind(
    version="v1", kind="ServiceAccount", plural="serviceaccounts", short_names=("sa",)
)
DEPLOYMENT = Kind(
    group="apps", version="v1", kind="Deployment", plural="deployments", short_names=("deploy",)
)
ROLE = Kind(group=_RBAC, version="v1", kind="Role", plural="roles")
ROLE_BINDING = Kind(group=_RBAC, version="v1", kind="RoleBinding", plural="rolebindings")
CLUSTER_ROLE_BINDING = Kind(
    group=_RBAC,
    version="v1",
    kind="ClusterRoleBinding",
    plural="clusterrolebindings",
    namespaced=False,
)
NETWORK_POLICY = Kind(
    group="networking.k8s.io",
    version="v1",
    kind="NetworkPolicy",
    plural="networkpolicies",
    short_names=("netpol",),
)
DISRUPTION_BUDGET = Kind(
    group="policy",
    version="v1",
    kind="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    short_names=("pdb",),
)
LEASE = Kind(group="coordination.k8s.io", version="v1", kind="Lease", plural="leases")
EVENT = Kind(group="events.k8s.io", version="v1", kind="Event", plural="events")
POD = Kind(version="v1", kind="Pod", plural="pods", short_names=("po",))
ENDPOINTS = Kind(version="v1", kind="Endpoints", plural="endpoints", short_names=("ep",))
NAMESPACE = Kind(
    version="v1", kind="Namespace", plural="namespaces", short_names=("ns",), namespaced=False
)

CLUSTER_KINDS = (
    *KINDS,
    *_of_toolhive(MCP_SERVER),
    *_of_toolhive(TOOL_CONFIG),
    SERVICE,
    SERVICE_ACCOUNT,
    DEPLOYMENT,
    ROLE,
    ROLE_BINDING,
    CLUSTER_ROLE_BINDING,
    NETWORK_POLICY,
    DISRUPTION_BUDGET,
    LEASE,
    EVENT,
    POD,
    ENDPOINTS,
    NAMESPACE,
)
"""What a cluster keeps for us, beside what every store keeps."""


def find_kind(api_version: str, kind: str, kinds: tuple[Kind, ...] = KINDS) -> Kind | None:
    """The kind that an object names with these two fields."""
    return next((k for k in kinds if k.kind == kind and k.api_version == api_version), None)


def kind_named(word: str) -> Kind | None:
    """The kind that a user means: plural, singular, short name or kind, with or without the group."""
    wanted = word.lower()
    return next((kind for kind in KINDS if wanted in kind.words), None)


def kind_of(obj: JsonObject, kinds: tuple[Kind, ...] = KINDS) -> Kind:
    """The kind of an object; raises INVALID with the kinds that exist when it is none of them."""
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    found = find_kind(str(api_version), str(kind), kinds)
    if found is not None:
        return found
    known = ", ".join(f"{k.kind} ({k.api_version})" for k in kinds)
    raise ThvError(
        Code.INVALID,
        f"no kind {_shown(kind)} in apiVersion {_shown(api_version)}",
        hint=f"Known kinds: {known}.",
    )


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) and value else "(none)"


# ---------------------------------------------------------------- metadata


def metadata_of(obj: JsonObject) -> JsonObject:
    """The metadata; empty when the object has none."""
    metadata = obj.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def name_of(obj: JsonObject) -> str:
    """`metadata.name`, `""` when absent."""
    return as_text(metadata_of(obj).get("name"))


def namespace_of(obj: JsonObject) -> str:
    """`metadata.namespace`, `""` when absent."""
    return as_text(metadata_of(obj).get("namespace"))


def uid_of(obj: JsonObject) -> str:
    """`metadata.uid`, `""` when absent."""
    return as_text(metadata_of(obj).get("uid"))


def resource_version_of(obj: JsonObject) -> str:
    """`metadata.resourceVersion`, `""` when absent."""
    return as_text(metadata_of(obj).get("resourceVersion"))


def labels_of(obj: JsonObject) -> dict[str, str]:
    """`metadata.labels`; what is no string is left out."""
    return _texts(metadata_of(obj).get("labels"))


def annotations_of(obj: JsonObject) -> dict[str, str]:
    """`metadata.annotations`; what is no string is left out."""
    return _texts(metadata_of(obj).get("annotations"))


def label(obj: JsonObject, key: str) -> str | None:
    """Our label `key` (without prefix), under our prefix or ToolHive's; ours wins."""
    return _under_prefixes(labels_of(obj), key)


def annotation(obj: JsonObject, key: str) -> str | None:
    """Our annotation `key` (without prefix), under our prefix or ToolHive's; ours wins."""
    return _under_prefixes(annotations_of(obj), key)


def _under_prefixes(values: dict[str, str], key: str) -> str | None:
    ours = values.get(PREFIX + key)
    return values.get(OLD_PREFIX + key) if ours is None else ours


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: text for key, text in value.items() if isinstance(text, str)}
