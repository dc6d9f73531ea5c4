"""A store that somebody uses with their own rights, as an API server lets them.

In the flow: around the store of one machine, for who is known to its door. A cluster judges by itself.
"""

from __future__ import annotations

from thv.domain.access import Action, Caller
from thv.domain.errors import Code, ThvError
from thv.stores.resources.base import ResourceStore
from thv.stores.resources.judged import JudgedStore, Use


class PermittedStore(JudgedStore):
    """Each verb asks whether the caller has the right to it; raises FORBIDDEN, naming the right."""

    def __init__(self, store: ResourceStore, caller: Caller) -> None:
        super().__init__(store)
        self._caller = caller

    def judge(self, use: Use) -> None:
        resource = use.kind.plural + use.part
        # A name that does not exist yet is none that a right could be limited to.
        asked = Action(
            verb=use.verb,
            resource=resource,
            group=use.kind.group,
            namespace=use.namespace,
            name="" if use.verb == "create" else use.name,
        )
        if not self._caller.may(asked):
            where = f'in the namespace "{use.namespace}"' if use.namespace else "everywhere"
            raise ThvError(
                Code.FORBIDDEN,
                f"{self._caller.name} may not {use.verb} {use.kind.resource}{use.part} {where}",
                hint=f"Ask for the right: {use.verb} {resource}.",
            )

    async def close(self) -> None:
        """Nothing: the store is that of others, too."""
