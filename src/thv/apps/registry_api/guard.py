"""Who may read a registry of a cluster: everybody, where it says so, else those whom the cluster lets.

In the flow: asked by the dispatcher. A registry that everybody may read asks nobody for a token and looks at none, so
that it answers whatever becomes of the API server.
"""

from __future__ import annotations

from collections.abc import Callable

from thv.apps.kit.authorization import Authorization
from thv.apps.kit.http.dispatch import Access
from thv.apps.kit.http.message import Request
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.registry_api.served import Served


class Guard:
    """Stands before the registries of one process."""

    def __init__(
        self,
        find: Callable[[str, str], Served | None],
        authorization: Authorization,
        is_told: Callable[[], bool],
    ) -> None:
        """`is_told`: whether it is known which registries there are."""
        self._find = find
        self._authorization = authorization
        self._is_told = is_told

    async def authorize(self, request: Request, access: Access) -> ProblemError | None:
        """None lets the caller in. What a registry is open for is reading it, and no more."""
        served = self._find(access.namespace, access.name)
        if served is None and not self._is_told():
            return ProblemError(Word.SNAPSHOT_UNAVAILABLE, "Nothing was loaded yet.", retry_after=1)
        is_open = served is not None and served.registry.spec.api.anonymous_read
        if is_open and not access.also:
            return None
        return await self._authorization.authorize(request, access)
