"""What whoever looks may do, as the API says: pages show no way to what would be refused.

In the flow: asked while a page is made. The API decides again when a form is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from thv.apps.dashboard.visits import Visit

REGISTRIES = "mcpregistries"
SERVERS = "mcpservers"


class Who(msgspec.Struct, frozen=True):
    """Somebody, and what they may do to registries by namespace."""

    user: str
    groups: list[str]
    method: str
    """Who says so: `none` where nobody is asked."""
    namespaces: list[dict[str, Any]]

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked who they are, so that nobody writes."""
        return self.method == "none"

    @property
    def is_machine(self) -> bool:
        """Whether an access file says so, or nobody does, because there is no cluster."""
        return self.method in ("none", "token-file", "oidc", "one-time-link")

    @property
    def owns_files(self) -> bool:
        """Whether files of the machine may be theirs: who has a role has none over these."""
        return self.method in ("none", "one-time-link")

    def spaces(self, verb: str) -> list[str]:
        """The namespaces with registries in which they may do it."""
        return [each["name"] for each in self.namespaces if verb in each["verbs"]]


async def who(visit: Visit) -> Who:
    """Who looks."""
    return msgspec.convert(await visit.api.get("/api/v1/me"), Who)


async def may(visit: Visit, verb: str, resource: str, namespace: str = "", name: str = "") -> bool:
    """Whether whoever looks may do that; an empty namespace is all of them."""
    found = await visit.api.get(
        "/api/v1/me/can-i", verb=verb, resource=resource, namespace=namespace, name=name
    )
    return bool(found["allowed"])


async def may_in(visit: Visit, verb: str, resource: str, namespaces: Iterable[str]) -> set[str]:
    """In which of these namespaces whoever looks may do that; who may in all of them takes one question."""
    wanted = sorted(set(namespaces))
    if len(wanted) > 1 and await may(visit, verb, resource):
        return set(wanted)
    found = await asyncio.gather(*(may(visit, verb, resource, each) for each in wanted))
    return {each for each, yes in zip(wanted, found, strict=True) if yes}
