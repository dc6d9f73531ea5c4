"""Who may read what, as long as nobody can prove who they are.

In the flow: asked before every answer of a process that listens to more than this machine.
"""

from __future__ import annotations

from thv.apps.kit.http.dispatch import Access
from thv.apps.kit.http.message import Request
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.registry_api.served import Served
from thv.domain.errors import Code, ThvError
from thv.domain.registry import load_registry
from thv.domain.resources import MCP_REGISTRY
from thv.stores.resources.base import ResourceStore


class PublicOnly:
    """Shows the registries that say that everybody may read them."""

    def __init__(self, resources: ResourceStore) -> None:
        self._resources = resources

    async def authorize(self, _request: Request, access: Access) -> ProblemError | None:
        """None where everybody may read; the same answer whether or not the registry exists."""
        key = (access.namespace, access.name)
        try:
            registry = load_registry(await self._resources.get(MCP_REGISTRY, *key))
        except ThvError as error:
            if error.code is not Code.NOT_FOUND:
                raise
        else:
            if registry.spec.api.anonymous_read:
                return None
        return ProblemError(
            Word.UNAUTHENTICATED,
            "This registry is not open to everybody.",
            hint="Set spec.api.anonymousRead: true, or start the server with --anonymous-read.",
        )

    async def visible(self, _request: Request, candidates: list[Served]) -> list[Served]:
        """The registries of which the aggregate tells."""
        return [served for served in candidates if served.registry.spec.api.anonymous_read]
