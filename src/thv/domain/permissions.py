"""The table of permissions: everything that a door of ours asks, or a policy of admission, about who calls.

In the flow: endpoints name rows of this table, authorizers ask what a row says, the roles that are shipped hold rows;
the OpenAPI documents and the reference of permissions are made of it. There is no second list.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from thv.domain.access import Action, Right
from thv.domain.resources import GROUP, OLD_GROUP

REGISTRIES = "mcpregistries"
REVIEWS = "mcpserverreviews"
SIGNOFFS = "mcpreviewsignoffs"
SERVERS = "mcpservers"


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody may be allowed to do."""

    act: str
    """What it is, for people."""
    verb: str
    resource: str = REGISTRIES
    """Plural, with the subresource behind a slash."""
    group: str = GROUP
    by_name: bool = False
    """Asked for one registry by its name; else for its namespace."""
    open: bool = False
    """Everybody has it where the registry sets `spec.api.anonymousRead`."""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"

    def on(self, namespace: str, name: str = "") -> Action:
        """The question whether somebody may do it to a registry, or in a namespace."""
        return Action(
            verb=self.verb,
            resource=self.resource,
            group=self.group,
            namespace=namespace,
            name=name if self.by_name else "",
        )


def _decision(act: str, part: str, verb: str = "create") -> Permission:
    return Permission(act=act, verb=verb, resource=f"{REGISTRIES}/{part}", by_name=True)


READ = Permission(
    act="Read a registry through its API, by any path and in any format.",
    verb="get",
    by_name=True,
    open=True,
)
LIST = Permission(
    act="See the registries of a namespace in what is told of many registries together.",
    verb="list",
)
LIST_SERVERS = Permission(
    act="See which servers are installed in a namespace, and how they stand to their registries.",
    verb="list",
    resource=SERVERS,
)
ADOPT_SERVER = Permission(
    act="Adopt an installed server: say which server of which registry it is.",
    verb="patch",
    resource=SERVERS,
)
EXPORT = _decision("Export a registry by a job.", "export", "get")
SYNC = _decision("Ask for a sync.", "sync")
SUBMIT = Permission(act="Submit a server for review.", verb="create", resource=REVIEWS)
SIGN = Permission(act="Sign a review off.", verb="create", resource=SIGNOFFS)
READ_REVIEW = _decision("Read a review.", "review", "get")
LIST_REVIEWS = _decision("List reviews.", "review", "list")
REVIEW = _decision("Comment on a review and decide it, for a team that one is in.", "review")
PROMOTE = _decision("Promote a server.", "promote")
RELEASE = _decision("Release a catalog.", "release")
REVOKE = _decision("Suspend and revoke a server.", "revoke")
BREAK_GLASS = _decision("Let a server in without its gates, for a while.", "breakglass")
WAIVE = _decision("Waive a gate.", "policy")
SET_POLICY = _decision("Set trust level, policy and enforcement.", "policy", "update")
AUDIT = _decision("Read the audit trail.", "audit", "get")
MAKE_REGISTRY = Permission(act="Make a registry, or generate one.", verb="create")
CHANGE_REGISTRY = Permission(
    act="Suspend and resume a registry; complete one that is generated, and generate it anew.",
    verb="update",
)
MAKE_CONTENT = Permission(
    act="Generate the content of a registry.", verb="create", resource="configmaps", group=""
)
CHANGE_CONTENT = Permission(
    act="Generate the content of a registry anew.", verb="update", resource="configmaps", group=""
)
MAKE_TOOL_CONFIG = Permission(
    act="Generate a registry with chosen tools.", verb="create", resource="mcptoolconfigs"
)
CHANGE_TOOL_CONFIG = Permission(
    act="Generate a registry with chosen tools anew.", verb="update", resource="mcptoolconfigs"
)

PERMISSIONS: tuple[Permission, ...] = (
    READ, LIST, LIST_SERVERS, ADOPT_SERVER, EXPORT, SYNC, SUBMIT, SIGN, READ_REVIEW, LIST_REVIEWS, REVIEW, PROMOTE, RELEASE, REVOKE,
    BREAK_GLASS, WAIVE, SET_POLICY, AUDIT, MAKE_REGISTRY, CHANGE_REGISTRY, MAKE_CONTENT, CHANGE_CONTENT,
    MAKE_TOOL_CONFIG, CHANGE_TOOL_CONFIG,
)  # fmt: skip
"""All of them."""


def ways(action: Action) -> tuple[Action, ...]:
    """The questions of which one yes is enough.

    Whoever may read the registries of ToolHive's group may read ours; whoever may change one may have it synced.
    """
    if action.resource == REGISTRIES and action.verb in (READ.verb, LIST.verb):
        return _in_either_group(action)
    if (action.resource, action.verb) == (SYNC.resource, SYNC.verb):
        return action, msgspec.structs.replace(action, verb="update", resource=REGISTRIES)
    return server_ways(action)


def server_ways(action: Action) -> tuple[Action, ...]:
    """The same where nothing of ToolHive counts but its servers, which are one list with ours."""
    return _in_either_group(action) if action.resource == SERVERS else (action,)


def _in_either_group(action: Action) -> tuple[Action, ...]:
    return action, msgspec.structs.replace(action, group=OLD_GROUP)


def rights_of(*permissions: Permission) -> tuple[Right, ...]:
    """Rights that hold these permissions, as few as say it."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for each in permissions:
        verbs.setdefault((each.group, each.resource), []).append(each.verb)
    resources: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), said in verbs.items():
        resources.setdefault((group, tuple(said)), []).append(resource)
    return tuple(
        Right(verbs=said, resources=tuple(named), groups=(group,))
        for (group, said), named in resources.items()
    )


def all_open(permissions: Iterable[Permission]) -> bool:
    """Whether an open registry gives everybody all of them."""
    return all(each.open for each in permissions)
