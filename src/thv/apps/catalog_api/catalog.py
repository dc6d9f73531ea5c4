"""What stands at the root of the catalog: the registries, and which of them a request may know of.

In the flow: mounted at the root, so that every handler finds it in its call.
"""

from __future__ import annotations

from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.registry_api.aggregate import Visible
from thv.apps.registry_api.door import Registries
from thv.apps.registry_api.served import Served
from thv.apps.registry_api.standing import Standing


class Catalog:
    """The registries of a process, as callers see them together."""

    def __init__(
        self, registries: Registries, standing: Standing, visible: Visible | None = None
    ) -> None:
        """`standing` orders registries, the best first; `visible` limits what a caller sees, None: to nothing."""
        self.registries = registries
        self.standing = standing
        self._visible = visible

    async def visible(self, call: Call) -> list[Served]:
        """The registries that the caller may list, the best first; raises ProblemError for a caller nobody knows."""
        every = list(self.registries.every())
        seen = every if self._visible is None else await self._visible(call.request, every)
        return sorted(seen, key=self.standing.of)

    def at(self, namespace: str, name: str) -> Served:
        """A registry of which the caller may know; raises REGISTRY_NOT_FOUND."""
        found = self.registries.find(namespace, name)
        if found is None:
            raise ProblemError(
                Word.REGISTRY_NOT_FOUND,
                f'There is no registry "{name}" in the namespace "{namespace}".',
                field="registry",
                value=name,
                hint=f"List them at /api/v1/registries/{namespace}.",
            )
        return found


def catalog_of(call: Call) -> Catalog:
    """The catalog that is asked."""
    found: Catalog = call.place
    return found
