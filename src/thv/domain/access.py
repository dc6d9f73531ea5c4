"""Who asks for what, and whether rights allow it: the judgement of RBAC as values.

In the flow: a cluster judges with its own RBAC from the roles that are generated from the same rights; where there
is no cluster, these functions do.
"""

from __future__ import annotations

import msgspec

from thv.domain.resources import GROUP


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody wants to do."""

    verb: str
    resource: str
    """Plural, with the subresource behind a slash: `mcpregistries/policy`."""
    group: str = GROUP
    namespace: str = ""
    name: str = ""


class Right(msgspec.Struct, frozen=True, kw_only=True):
    """Verbs on resources: a rule of a role."""

    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    groups: tuple[str, ...] = (GROUP,)
    names: tuple[str, ...] = ()
    """Only these objects; none given means all."""

    def allows(self, action: Action) -> bool:
        """Whether it covers the action, wherever that is."""
        return (
            action.verb in self.verbs
            and action.group in self.groups
            and action.resource in self.resources
            and (not self.names or action.name in self.names)
        )


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Rights in one namespace, or in all: a binding."""

    rights: tuple[Right, ...]
    namespace: str = ""
    """`""` is everywhere."""

    def allows(self, action: Action) -> bool:
        """Whether it covers the action where that is."""
        here = self.namespace in ("", action.namespace)
        return here and any(right.allows(action) for right in self.rights)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()
    unlimited: bool = False
    """May do everything, as the owner of a machine or a cluster."""
    operator: bool = False
    """Is the operator of registries itself."""

    def may(self, action: Action) -> bool:
        """Whether the caller has the right."""
        return self.unlimited or any(grant.allows(action) for grant in self.grants)


OWNER = Caller(name="system:owner", unlimited=True, operator=True)
"""Whoever runs the product on a machine: owns its files, and is the operator too."""
