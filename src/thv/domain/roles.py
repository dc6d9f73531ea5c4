"""The roles that are shipped, as data.

In the flow: `make gen` writes them as ClusterRoles; where there is no cluster, callers hold the same rights. No
role holds a wildcard, and the operator's none on Secrets: owners of namespaces give it those one by one.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from thv.domain.access import Action, Right
from thv.domain.permissions import (
    AUDIT,
    BREAK_GLASS,
    EXPORT,
    LIST_REVIEWS,
    PROMOTE,
    READ_REVIEW,
    RELEASE,
    REVIEW,
    REVOKE,
    SET_POLICY,
    SIGN,
    SUBMIT,
    SYNC,
    WAIVE,
    rights_of,
)
from thv.domain.resources import GROUP, OLD_GROUP

OPERATOR = "toolhive-registry-operator"
API_AUTH = "toolhive-registry-api-auth"
SOURCE_READER = "toolhive-registry-source-reader"
CATALOG = "toolhive-catalog"


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A named set of rights."""

    name: str
    meaning: str
    rights: tuple[Right, ...]
    aggregates_to: Literal["", "view", "edit"] = ""
    """The role of Kubernetes that whoever holds it gets these rights by."""

    def allows(self, action: Action) -> bool:
        """Whether whoever holds it where the action is may do that."""
        return any(right.allows(action) for right in self.rights)


_READ = ("get", "list", "watch")
_WRITE = ("create", "update", "patch", "delete")
_ALL = (*_READ, *_WRITE, "deletecollection")
_KEEP = (*_READ, "create", "patch", "delete")
"""What the operator does with the objects that it makes."""

_JOBS = ("mcpregistryimportjobs", "mcpregistryexportjobs", "mcpregistrysyncjobs")
_RECORDS = ("mcpserverreviews", "mcpreviewsignoffs")
_WORKLOADS = ("mcpservers", "mcptoolconfigs")
_BOTH = (GROUP, OLD_GROUP)
_CORE = ("",)


# ---------------------------------------------------------------- people

_USER = (
    Right(verbs=_READ, resources=("mcpregistries", *_JOBS, *_RECORDS)),
    Right(verbs=_READ, resources=_WORKLOADS, groups=_BOTH),
    *rights_of(EXPORT, READ_REVIEW, LIST_REVIEWS),
)
_DEPLOYER = (
    *_USER,
    Right(verbs=_WRITE, resources=_WORKLOADS, groups=_BOTH),
    *rights_of(SUBMIT, SIGN, SYNC, REVIEW),
)
_ADMIN = (
    *_DEPLOYER,
    Right(verbs=_ALL, resources=("mcpregistries", *_JOBS)),
    *rights_of(SYNC, PROMOTE, RELEASE, REVOKE, BREAK_GLASS, WAIVE, SET_POLICY),
    Right(
        verbs=("get", "list", "create", "update", "patch", "delete"),
        resources=("configmaps",),
        groups=_CORE,
    ),
)
_REVIEWER = (
    *_USER,
    *rights_of(SIGN, REVIEW),
    Right(verbs=("update", "patch"), resources=("mcpserverreviews",)),
)
_MAKE = ("get", "list", "create", "update")
_CATALOG_USER = (
    *_USER,
    Right(verbs=_MAKE, resources=("mcpregistries", "mcptoolconfigs"), groups=_BOTH),
    Right(verbs=_MAKE, resources=("configmaps",), groups=_CORE),
)
_AUDITOR = (
    *_USER,
    *rights_of(AUDIT),
    Right(verbs=("list",), resources=("events",), groups=("", "events.k8s.io")),
)

USER_ROLE = Role(
    name="toolhive-registry-user",
    meaning="Reads registries, servers and reviews.",
    rights=_USER,
    aggregates_to="view",
)
DEPLOYER_ROLE = Role(
    name="toolhive-registry-deployer",
    meaning="Deploys servers, submits them for review and asks for syncs.",
    rights=_DEPLOYER,
    aggregates_to="edit",
)
ADMIN_ROLE = Role(
    name="toolhive-registry-admin",
    meaning="Makes registries, sets their policy and decides about servers.",
    rights=_ADMIN,
)
REVIEWER_ROLE = Role(
    name="toolhive-registry-reviewer",
    meaning="Takes part in reviews; signs for the teams whose group the reviewer is in.",
    rights=_REVIEWER,
)
CATALOG_USER_ROLE = Role(
    name="toolhive-catalog-user",
    meaning="Makes registries of chosen servers through the catalog.",
    rights=_CATALOG_USER,
)
AUDITOR_ROLE = Role(
    name="toolhive-registry-auditor",
    meaning="Reads everything of registries, their events and their audit trail.",
    rights=_AUDITOR,
)

PEOPLE_ROLES = (
    USER_ROLE,
    DEPLOYER_ROLE,
    ADMIN_ROLE,
    REVIEWER_ROLE,
    CATALOG_USER_ROLE,
    AUDITOR_ROLE,
)
"""Those of people, and of programs that act like people."""


def role_for(action: Action) -> Role | None:
    """The first role of people that allows it, the least one where they build on each other."""
    return next((role for role in PEOPLE_ROLES if role.allows(action)), None)


# ---------------------------------------------------------------- processes

_AUTHENTICATION = (
    Right(verbs=("create",), resources=("tokenreviews",), groups=("authentication.k8s.io",)),
    Right(verbs=("create",), resources=("subjectaccessreviews",), groups=("authorization.k8s.io",)),
)

API_AUTH_ROLE = Role(
    name=API_AUTH,
    meaning="Asks the cluster who a caller of a registry API is, and what the caller may do.",
    rights=_AUTHENTICATION,
)

_OWNED = (
    Right(verbs=_KEEP, resources=("configmaps", "services", "serviceaccounts"), groups=_CORE),
    Right(verbs=_KEEP, resources=("deployments",), groups=("apps",)),
    Right(verbs=_KEEP, resources=("networkpolicies",), groups=("networking.k8s.io",)),
    Right(verbs=_KEEP, resources=("poddisruptionbudgets",), groups=("policy",)),
    Right(
        verbs=_KEEP,
        resources=("roles", "rolebindings"),
        groups=("rbac.authorization.k8s.io",),
    ),
)

OPERATOR_ROLE = Role(
    name=OPERATOR,
    meaning="Keeps registries in step with their sources and serves them. It may read no Secret.",
    rights=(
        # Deleted where somebody began to generate a registry and did not complete it.
        Right(verbs=(*_READ, "delete"), resources=("mcpregistries",)),
        Right(verbs=("list", "delete"), resources=("mcptoolconfigs",)),
        Right(verbs=("get", "patch"), resources=("mcpregistries/status",)),
        # Read for the statistics of a registry, and held because API pods are given it.
        Right(verbs=_READ, resources=("mcpservers",), groups=_BOTH),
        Right(verbs=_READ, resources=("mcpserverreviews",)),
        *_OWNED,
        # Why an API is not there: pods without an image, a place or a quota.
        Right(verbs=("get", "list"), resources=("pods",), groups=_CORE),
        # Where API pods may connect to: the API server.
        Right(verbs=("get",), resources=("endpoints",), groups=_CORE, names=("kubernetes",)),
        Right(verbs=("create", "patch"), resources=("events",), groups=("events.k8s.io",)),
        Right(
            verbs=("get", "patch"),
            resources=("clusterrolebindings",),
            groups=("rbac.authorization.k8s.io",),
            names=(API_AUTH,),
        ),
        *_AUTHENTICATION,
    ),
)

CATALOG_ROLE = Role(
    name=CATALOG,
    meaning="Serves the catalog: reads registries and their content, asks who callers are and what they may do.",
    rights=(
        # Patched for one annotation, which asks for a sync; a policy of admission refuses everything else.
        Right(verbs=(*_READ, "patch"), resources=("mcpregistries",)),
        Right(verbs=("get",), resources=("configmaps",), groups=_CORE),
        # Told of with their registries, to those who may list them.
        Right(verbs=_READ, resources=("mcpservers",), groups=_BOTH),
        *_AUTHENTICATION,
    ),
)

SESSIONS = tuple(f"thv-catalog-sessions-{number}" for number in range(4))
"""The ConfigMaps in which replicas of the catalog share the sessions of its dashboard."""
SESSIONS_ROLE = Role(
    name="toolhive-catalog-sessions",
    meaning="Keeps the sessions of the dashboard in the ConfigMaps that are there for them, and changes no other object.",
    rights=(
        Right(verbs=("get", "patch"), resources=("configmaps",), groups=_CORE, names=SESSIONS),
    ),
)

LEADER_ROLE = Role(
    name="toolhive-registry-leader",
    meaning="Tells which of several operators works.",
    rights=(
        Right(
            verbs=("get", "create", "update"),
            resources=("leases",),
            groups=("coordination.k8s.io",),
        ),
    ),
)


def source_reader(*secrets: str) -> Role:
    """What an owner of a namespace gives the operator there: these Secrets, or all of the namespace."""
    return Role(
        name=SOURCE_READER,
        meaning="Reads the Secrets that registries of this namespace name.",
        rights=(Right(verbs=("get",), resources=("secrets",), groups=_CORE, names=secrets),),
    )


SOURCE_READER_ROLE = source_reader()

CLUSTER_ROLES = (
    *PEOPLE_ROLES,
    OPERATOR_ROLE,
    API_AUTH_ROLE,
    SOURCE_READER_ROLE,
)
"""Bound by administrators, in a namespace or everywhere."""
